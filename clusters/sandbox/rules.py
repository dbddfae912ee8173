"""Validation of built-in kinds by key; each kind's rules live in `rules_*.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusters.sandbox.errors import FieldError
from clusters.sandbox.store import Store

Object = dict[str, Any]
Rule = Callable[[Object, "Object | None", Store], list[FieldError]]
RULES: dict[str, Rule] = {}


def errors(key: str, new: Object, old: Object | None, store: Store) -> list[FieldError]:
    rule = RULES.get(key)
    return rule(new, old, store) if rule else []
