"""What expressions of webhooks and policies see of an admission request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clusters.sandbox import cel
from clusters.sandbox.matching import Attributes
from clusters.sandbox.resources import Resource

Object = dict[str, Any]
REQUEST_VARIABLES = frozenset({"object", "oldObject", "request"})
UNSEEN = ("object", "oldObject")  # variables of their own, not fields of `request`


class ConditionError(Exception):
    """A match condition that gave no answer."""


class Conditions:
    """Evaluates matchConditions."""

    def bindings(self, what: Attributes, version: Resource) -> cel.Bindings:
        request = what.request(version)
        shown = {key: value for key, value in request.items() if key not in UNSEEN}
        return cel.Bindings({"object": request["object"], "oldObject": request["oldObject"], "request": shown})

    def all_true(self, terms: Iterable[Object], what: Attributes, version: Resource) -> bool:
        """False as soon as one is; raises ConditionError when one failed and none is false."""
        return self.hold(terms, self.bindings(what, version), REQUEST_VARIABLES)

    def hold(self, terms: Iterable[Object], bindings: cel.Bindings, variables: frozenset[str]) -> bool:
        problems = []
        for term in terms:
            try:
                if not cel.compiled(term["expression"], variables).true(bindings):
                    return False
            except (cel.CompileError, cel.EvaluationError) as problem:
                problems.append(f"expression '{term['expression']}' resulted in error: {problem}")
        if problems:
            raise ConditionError(problems[0])
        return True
