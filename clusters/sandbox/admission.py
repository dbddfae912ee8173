"""Admission: namespace life, protection finalizers, registered mutators and validators, quota, limit ranges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from clusters.sandbox import errors
from clusters.sandbox.call import Call
from clusters.sandbox.conditions import Conditions
from clusters.sandbox.policies import Policies
from clusters.sandbox.questions import fingerprint
from clusters.sandbox.resources import Registry
from clusters.sandbox.store import Store
from clusters.sandbox.webhooks import Webhooks, failed

Object = dict[str, Any]
Charge = Callable[[], None]
PROTECTION = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
}


@dataclass
class Denial:
    """A validator's refusal, as a webhook's `status` would say it."""

    message: str
    code: int = 422
    reason: str = "Invalid"
    causes: list[Object] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # with an empty message: warnings only, admitted


Mutator = Callable[[str, Object, "Object | None"], Object]
Validator = Callable[[str, Object, "Object | None"], "Denial | None"]


@dataclass
class Hook:
    """A webhook that the sandbox itself carries out; `mutator` and `validator` are its names, `url` where it would be."""

    mutate: Mutator | None
    validate: Validator | None
    mutator: str = ""
    validator: str = ""
    url: str = ""


def nothing() -> None:
    """The charge of a write that no quota counts."""


class Admission:
    """Runs before anything is stored."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self.store = store
        conditions = Conditions()
        self.webhooks = Webhooks(store, registry, conditions)
        self.policies = Policies(store, registry, conditions)
        self.outage: Callable[[str], bool] = lambda _name: False  # whether a webhook is down by order
        self.hooks: dict[str, list[Hook]] = {}
        self.checks: list[Callable[[Call, Object, Object | None], Charge | None]] = []
        self.mutators: list[Callable[[Call, Object, Object | None], Object]] = []

    def register(self, resource: str, hook: Hook) -> None:
        self.hooks.setdefault(resource, []).append(hook)

    def mutate(self, call: Call, obj: Object, old: Object | None) -> Object:
        if old is None:
            self._namespace_life(call)
            self._protection(call, obj)
        for mutator in self.mutators:
            obj = mutator(call, obj, old)
        if not call.subresource:
            for hook in self.hooks.get(call.resource.key, ()):
                if hook.mutate is not None:
                    obj = self._mutated(call, hook, hook.mutate, obj, old)
        if call.memory is not None:
            shown = obj
            if call.owned:
                shown = {**obj, "metadata": {**obj["metadata"], "managedFields": call.owned}}
            obj = self.webhooks.mutate(call, shown, old) or obj
        return obj

    def _mutated(self, call: Call, hook: Hook, mutate: Mutator, obj: Object, old: Object | None) -> Object:
        self._reachable(call, hook, "mutate")
        operation = "UPDATE" if old else "CREATE"
        if call.memory is None:
            return mutate(operation, obj, old)
        # Mutators draw random numbers: a second run must get the object of the first, if it brings the same.
        seen = fingerprint({"object": obj, "oldObject": old})
        made = call.memory.once(f"{hook.mutator}/{hash(seen)}", lambda: orjson.dumps(mutate(operation, obj, old)))
        return orjson.loads(made)  # type: ignore[no-any-return]  # a copy: the write goes on to change it

    def _reachable(self, call: Call, hook: Hook, verb: str) -> None:
        name = hook.mutator if verb == "mutate" else hook.validator
        if name and not call.internal and self.outage(name):
            why = f'Post "{hook.url}-{verb}?timeout=10s": dial tcp 10.96.0.10:443: connect: connection refused'
            raise failed(name, f"failed to call webhook: {why}")

    def delete(self, call: Call, old: Object) -> None:
        """Webhooks and policies may refuse a delete; there is nothing to change."""
        if call.memory is not None:
            self.webhooks.mutate(call, None, old)
        self.policies.validate(call, None, old)
        if call.memory is not None:
            self.webhooks.validate(call, None, old)

    def validate(self, call: Call, obj: Object, old: Object | None) -> Charge:
        """Raises the refusal, or answers what to do once the object is certain to be stored."""
        self.policies.validate(call, obj, old)
        if not call.subresource:
            for hook in self.hooks.get(call.resource.key, ()):
                if hook.validate is not None:
                    self._reachable(call, hook, "validate")
                    self._judge(call, hook.validate("UPDATE" if old else "CREATE", obj, old))
        if call.memory is not None:
            self.webhooks.validate(call, obj, old)
        charges = [charge for check in self.checks if (charge := check(call, obj, old)) is not None]
        if not charges:
            return nothing

        def charge_all() -> None:
            for charge in charges:
                charge()

        return charge_all

    def _judge(self, call: Call, denial: Denial | None) -> None:
        if denial is None:
            return
        call.warnings += denial.warnings
        if not denial.message:
            return
        details: Object = {"causes": denial.causes} if denial.causes else {}
        raise errors.ApiError(
            errors.status(denial.code, denial.reason, denial.message, details or None), warnings=call.warnings
        )

    def _namespace_life(self, call: Call) -> None:
        """Creates need a namespace that exists and is not terminating (k8s-transcript 07)."""
        if not call.resource.namespaced or call.namespace is None:
            return
        stored = self.store.get("namespaces", call.namespace)
        if stored is None:
            raise errors.not_found("namespaces", "", call.namespace)
        if call.internal and call.resource.key in {"events", "configmaps"}:
            return
        if stored.meta.get("deletionTimestamp"):
            resource = call.resource
            why = f"unable to create new content in namespace {call.namespace} because it is being terminated"
            refusal = errors.forbidden(resource.plural, resource.group, call.name, why)
            refusal.body["details"]["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {call.namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise refusal

    def _protection(self, call: Call, obj: Object) -> None:
        finalizer = PROTECTION.get(call.resource.key)
        if finalizer:
            present = obj["metadata"].get("finalizers") or []
            if finalizer not in present:
                obj["metadata"]["finalizers"] = [*present, finalizer]
