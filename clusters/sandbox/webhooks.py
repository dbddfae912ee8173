"""Configured admission webhooks: whom to ask, and what their answers mean (k8s-transcript 10)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import orjson

from clusters.sandbox import bodies, errors, patches
from clusters.sandbox.call import Call
from clusters.sandbox.conditions import ConditionError, Conditions
from clusters.sandbox.matching import EXEMPT, MUTATING, VALIDATING, Attributes, attributes, matched_version, selected
from clusters.sandbox.questions import Outcome, PendingError, Question
from clusters.sandbox.resources import Registry, Resource
from clusters.sandbox.store import Store

Object = dict[str, Any]


class Webhooks:
    """Both kinds. A call without a memory (a controller of the sandbox itself) is not reviewed."""

    def __init__(self, store: Store, registry: Registry, conditions: Conditions) -> None:
        self.store, self.registry, self.conditions = store, registry, conditions

    def configured(self) -> bool:
        return any(self.store.shelves[key].objects for key in (MUTATING, VALIDATING) if key in self.store.shelves)

    def mutate(self, call: Call, obj: Object | None, old: Object | None) -> Object | None:
        """One webhook after another, each seeing what the one before made of the object."""
        if call.memory is None:
            return obj
        invoked: list[tuple[str, Object, bytes]] = []
        for key, hook in self._hooks(MUTATING):
            asked, obj = self._mutate_by(call, key, hook, obj, old)
            if asked:
                invoked.append((key, hook, _print(obj)))
        for key, hook, seen in invoked:
            if hook.get("reinvocationPolicy") == "IfNeeded" and _print(obj) != seen:
                _, obj = self._mutate_by(call, f"{key}/again", hook, obj, old)
        return obj

    def _mutate_by(
        self, call: Call, key: str, hook: Object, obj: Object | None, old: Object | None
    ) -> tuple[bool, Object | None]:
        found = self._question(call, key, hook, attributes(call, obj, old))
        if found is None:
            return False, obj
        if isinstance(found, Question):
            raise PendingError([found])
        response = self._response(call, hook, found)
        if response is not None and response.get("patch") and obj is not None:
            obj = _patched(call, hook, obj, response["patch"])
        return True, obj

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        """All at once; the refusal of the first in order is the one the client reads."""
        if call.memory is None:
            return
        what = attributes(call, obj, old)
        found = [(hook, self._question(call, key, hook, what)) for key, hook in self._hooks(VALIDATING)]
        open_questions = [answer for _, answer in found if isinstance(answer, Question)]
        if open_questions:
            raise PendingError(open_questions)
        for hook, answer in found:
            if isinstance(answer, Outcome):
                self._response(call, hook, answer)

    def _hooks(self, shelf: str) -> Iterator[tuple[str, Object]]:
        for stored in self.store.shelf(shelf).items():
            for hook in stored.obj.get("webhooks") or ():
                yield f"{shelf}/{stored.meta['name']}/{hook['name']}", hook

    def _question(self, call: Call, key: str, hook: Object, what: Attributes) -> Question | Outcome | None:
        """None when the webhook has no business with this request."""
        if call.resource.key in EXEMPT or not selected(self.store, what, hook):
            return None
        equivalent = hook.get("matchPolicy") != "Exact"
        version = matched_version(self.registry, what, hook.get("rules") or (), equivalent=equivalent)
        if version is None or not self._meets_conditions(hook, what, version):
            return None
        if call.dry_run and hook.get("sideEffects") not in {"None", "NoneOnDryRun"}:
            raise errors.bad_request(f'admission webhook "{hook["name"]}" does not support dry run')
        assert call.memory is not None
        return call.memory.question(f"{key}/{call.key}", hook, what.request(version))

    def _meets_conditions(self, hook: Object, what: Attributes, version: Resource) -> bool:
        terms = hook.get("matchConditions") or ()
        try:
            return not terms or self.conditions.all_true(terms, what, version)
        except ConditionError as problem:
            if hook.get("failurePolicy") == "Ignore":
                return False
            raise errors.error(
                403, "Forbidden", f"{version.plural} is forbidden: {problem}", {"kind": version.plural}
            ) from problem

    def _response(self, call: Call, hook: Object, outcome: Outcome) -> Object | None:
        """The answer of one that allows; None where there is none and nobody minds."""
        if outcome.failure:
            if hook.get("failurePolicy") == "Ignore":
                return None
            raise failed(hook["name"], outcome.failure)
        response = outcome.response
        call.warnings += [str(text) for text in response.get("warnings") or ()]
        if not response.get("allowed"):
            raise denied(hook["name"], response.get("status") or {}, call.warnings)
        return response


def _print(obj: Object | None) -> bytes:
    return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)


def failed(name: str, why: str) -> errors.ApiError:
    text = f'failed calling webhook "{name}": {why}'
    return errors.error(500, "InternalError", f"Internal error occurred: {text}", {"causes": [{"message": text}]})


def denied(name: str, status: Object, warnings: list[str]) -> errors.ApiError:
    """The webhook's own Status with the server's words in front; less than 400 becomes 400."""
    said = f'admission webhook "{name}" denied the request'
    if status.get("message") or status.get("reason"):
        message = f"{said}: {status.get('message') or status.get('reason')}"
    else:
        message = f"{said} without explanation"
    code = max(int(status.get("code") or 0), 400)
    body = errors.status(code, status.get("reason", ""), message, status.get("details"))
    return errors.ApiError(body, warnings=warnings)


def _patched(call: Call, hook: Object, obj: Object, patch: str) -> Object:
    """The object after a webhook's JSON patch, decoded and defaulted like one that a client sent."""
    try:
        operations = orjson.loads(base64.b64decode(patch))
        changed = patches.json_patch(orjson.loads(orjson.dumps(obj)), operations)
    except (ValueError, errors.ApiError) as problem:
        raise failed(hook["name"], f"the patch could not be applied: {problem}") from problem
    if not isinstance(changed, dict):
        raise failed(hook["name"], "the patch made something else than an object")
    validation, call.validation = call.validation, "Ignore"
    try:
        return bodies.decode(call, changed, patched=True)
    finally:
        call.validation = validation
