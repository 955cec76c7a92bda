"""Rules: what `set-var`, `set-var-fmt` and `unset-var` do, wherever they stand (configuration manual 4.3, and 7.3.1 on conditions)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dataplane.rules.actions import SetVar, UnsetVar
from dataplane.rules.closures import compiled_expression, compiled_format
from dataplane.rules.fitting import fit
from dataplane.rules.model import Expression

if TYPE_CHECKING:
    from dataplane.rules.samples import Sample
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

Assign = Callable[['View'], None]


def assigning(action: SetVar | UnsetVar, store: Store | None = None) -> Assign:
    """The action ready for use. What yields nothing leaves a variable as it is."""
    scope, name = action.variable.scope, action.variable.name
    if isinstance(action, UnsetVar):
        return lambda view: view.set_variable(scope, name, None)
    only = action.only
    value_of: Callable[[View], Sample | None]
    if isinstance(action.value, Expression):
        value_of = compiled_expression(action.value, store)
    else:
        value_of = compiled_format(action.value, store)

    def assign(view: View) -> None:
        value = value_of(view)
        if value is None:
            return
        if only and not fit(only, scope, view.variable(scope, name), value):
            return
        view.set_variable(scope, name, value)

    return assign
