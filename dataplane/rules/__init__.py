"""Rules: sample fetches, converters, ACLs, conditions and log-format strings. Pure: no socket, no clock, no chance of its own.

    words of the file -> expressions, acls, formats (parsers) -> model (plain data, in the snapshot) -> closures -> View

- `model` is the data; `phases` says when what can be fetched; `view` is what may be asked of a transaction.
- `expressions.parse_expression(words, at, scope) -> (Expression, next)`, `acls.parse_acl(words, scope) -> Acl`,
  `acls.parse_condition(words, acls, scope) -> Condition`, `formats.parse_format(text, scope) -> Format`. They raise
  `problems.Rejected`; `scope.Scope` says in which phase the rule stands and where pattern files are read.
- `closures.compiled(condition, store) -> Callable[[View], bool]`, `closures.compiled_expression(expression, store) ->
  Callable[[View], Sample | None]` and `closures.compiled_format(format, store) -> Callable[[View], bytes]` are made once per
  adopted table and called per request. `stores.Store` holds the patterns of files, which the CLI may change.
"""
