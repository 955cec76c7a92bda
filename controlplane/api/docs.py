"""`/docs`: the OpenAPI document as a page that loads nothing but that document, from this very server."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice control plane</title>
<style>
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.2rem; text-transform: capitalize; border-bottom: 1px solid var(--line); }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; }
summary { padding: .45rem .7rem; cursor: pointer; display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
summary code { font-weight: 600; } summary span { opacity: .75; }
.verb { min-width: 4.2rem; font: 700 12px ui-monospace, monospace; text-transform: uppercase; }
.body { padding: 0 .9rem .8rem; } table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top; border-top: 1px solid var(--line); }
pre { overflow: auto; padding: .6rem; border: 1px solid var(--line); border-radius: 6px; }
</style></head>
<body><h1>Sluice control plane</h1>
<p id="about">Loading <a href="openapi.json">openapi.json</a> ...</p><main></main>
<noscript>The plain document is at <a href="openapi.json">openapi.json</a>.</noscript>
<script>
'use strict';
const make = (tag, text, kind) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
};
const resolve = (api, schema) => {
  if (!schema) return {};
  if (schema.$ref) return schema.$ref.split('/').slice(1).reduce((at, key) => at[key], api);
  return schema;
};
const words = (api, raw) => {
  const schema = resolve(api, raw);
  if (schema.anyOf) return schema.anyOf.map(one => words(api, one)).join(' or ');
  if (schema.enum) return schema.enum.map(one => JSON.stringify(one)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === 'object' && schema.additionalProperties) return 'object of ' + words(api, schema.additionalProperties);
  const range = [['minimum', '>= '], ['maximum', '<= '], ['pattern', '']].filter(([key]) => key in schema)
    .map(([key, sign]) => sign + schema[key]).join(', ');
  return (schema.type || 'any') + (range ? ' (' + range + ')' : '');
};
const table = (rows) => {
  const node = make('table');
  for (const row of rows) {
    const line = node.insertRow();
    row.forEach((text, index) => line.insertCell().append(index ? make('span', text) : make('code', text)));
  }
  return node;
};
const operation = (api, path, verb, spec) => {
  const node = make('details'), head = make('summary'), body = make('div', undefined, 'body');
  head.append(make('span', verb, 'verb'), make('code', path), make('span', spec.summary || ''));
  if (spec.description) body.append(make('p', spec.description));
  const given = (spec.parameters || []).map(one =>
    [one.name, one.in + (one.required ? ', required' : ''), words(api, one.schema), one.description || '']);
  if (given.length) body.append(make('h4', 'Parameters'), table(given));
  const content = spec.requestBody && spec.requestBody.content['application/json'];
  if (content) {
    const schema = resolve(api, content.schema), needed = schema.required || [];
    body.append(make('h4', 'Body'), make('p', schema.description || ''), table(Object.entries(schema.properties || {}).map(
      ([name, field]) => [name, needed.includes(name) ? 'required' : 'optional', words(api, field),
        field.default !== undefined ? 'default ' + JSON.stringify(field.default) : ''])));
  }
  node.append(head, body);
  return node;
};
fetch('openapi.json').then(answer => answer.json()).then(api => {
  document.getElementById('about').textContent = api.info.description;
  const groups = new Map();
  for (const [path, verbs] of Object.entries(api.paths))
    for (const [verb, spec] of Object.entries(verbs)) {
      const tag = (spec.tags || ['other'])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(api, path, verb, spec));
    }
  for (const [tag, nodes] of groups) document.querySelector('main').append(make('h2', tag), ...nodes);
}).catch(error => { document.getElementById('about').textContent = 'openapi.json could not be read: ' + error; });
</script></body></html>
"""


@router.get('/docs')
async def docs() -> Response:
    """The page."""
    return HTMLResponse(PAGE, headers={'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff'})
