"""ValidatingAdmissionPolicies and their bindings: rules in CEL, judged in the server itself (k8s-transcript 10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from clusters.sandbox import cel, errors
from clusters.sandbox.call import Call
from clusters.sandbox.conditions import REQUEST_VARIABLES, ConditionError, Conditions
from clusters.sandbox.matching import (
    EXEMPT,
    POLICIES,
    POLICY_BINDINGS,
    Attributes,
    attributes,
    matched_version,
    selected,
)
from clusters.sandbox.resources import Registry, Resource
from clusters.sandbox.selectors import matches_selector
from clusters.sandbox.store import Store

Object = dict[str, Any]
VARIABLES = REQUEST_VARIABLES | {"params", "namespaceObject", "variables"}
CODES = {"Invalid": 422, "Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413}


class Policies:
    """Judges writes and deletes by every bound policy."""

    def __init__(self, store: Store, registry: Registry, conditions: Conditions) -> None:
        self.store, self.registry, self.conditions = store, registry, conditions

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        shelf = self.store.shelves.get(POLICY_BINDINGS)
        if not shelf or not shelf.objects or call.internal or call.resource.key in EXEMPT:
            return
        what = attributes(call, obj, old)
        refusal: errors.ApiError | None = None
        for stored in shelf.items():
            found = self._by_binding(call, what, stored.obj)
            refusal = refusal or found
        if refusal is not None:
            refusal.warnings = call.warnings
            raise refusal

    def _by_binding(self, call: Call, what: Attributes, binding: Object) -> errors.ApiError | None:
        spec = binding["spec"]
        policy = self.store.get(POLICIES, spec.get("policyName", ""))
        if policy is None:
            return None
        version = self._matches(what, policy.obj["spec"].get("matchConstraints") or {})
        narrowed = spec.get("matchResources")
        if version is None or (narrowed and self._matches(what, narrowed) is None):
            return None
        names = policy.meta["name"], binding["metadata"]["name"]
        for message, reason in self._problems(what, version, policy.obj["spec"], spec):
            actions = spec.get("validationActions") or ()
            if "Warn" in actions:
                said = f"Validation failed for ValidatingAdmissionPolicy '{names[0]}' with binding '{names[1]}'"
                call.warnings.append(f"{said}: {message}")
            if "Deny" in actions:
                return _denied(call, names, message, reason)
        return None

    def _matches(self, what: Attributes, match: Object) -> Resource | None:
        """The version to judge; a narrowing without rules takes everything its selectors do."""
        if not selected(self.store, what, match):
            return None
        equivalent = match.get("matchPolicy") != "Exact"
        excluded = match.get("excludeResourceRules") or ()
        if excluded and matched_version(self.registry, what, excluded, equivalent=equivalent):
            return None
        rules = match.get("resourceRules")
        if not rules:
            return what.resource
        return matched_version(self.registry, what, rules, equivalent=equivalent)

    def _problems(
        self, what: Attributes, version: Resource, policy: Object, binding: Object
    ) -> Iterator[tuple[str, str]]:
        """Message and reason of each rule that is broken, or can't be judged while failurePolicy is Fail."""
        strict = policy.get("failurePolicy", "Fail") == "Fail"
        bindings = self.conditions.bindings(what, version)
        try:
            if not self.conditions.hold(policy.get("matchConditions") or (), bindings, VARIABLES):
                return
            params = list(self._params(what, policy, binding))
        except ConditionError as problem:
            if strict:
                yield str(problem), "Invalid"
            return
        namespace = self.store.get("namespaces", what.namespace) if what.namespace else None
        for param in params:
            seen = bindings.plus({"namespaceObject": namespace.obj if namespace else None, "params": param})
            seen = seen.plus({}, {"variables": _variables(policy.get("variables") or (), seen)})
            for rule in policy.get("validations") or ():
                yield from _broken(rule, seen, strict=strict)

    def _params(self, what: Attributes, policy: Object, binding: Object) -> Iterator[Object | None]:
        """The parameter objects that a binding names, or one None for a policy without parameters."""
        kind, ref = policy.get("paramKind"), binding.get("paramRef")
        if not kind or not ref:
            yield None
            return
        resource = self.registry.find_kind(kind.get("apiVersion", ""), kind.get("kind", ""))
        if resource is None:
            raise ConditionError(
                f"failed to find resource referenced by paramKind: '{kind.get('apiVersion')}, Kind={kind.get('kind')}'"
            )
        namespace = (ref.get("namespace") or what.namespace) if resource.namespaced else None
        found = [
            stored.obj
            for stored in self.store.shelf(resource.key).items(namespace)
            if (
                stored.meta["name"] == ref["name"]
                if ref.get("name")
                else matches_selector(ref.get("selector"), stored.obj)
            )
        ]
        if not found and ref.get("parameterNotFoundAction", "Deny") == "Deny":
            raise ConditionError("no params found for policy binding with `Deny` parameterNotFoundAction")
        yield from found


def _variables(wanted: Iterable[Object], bindings: cel.Bindings) -> Any:
    """`variables.NAME`, each from those before it; one that can't be computed is left out, so rules that need it fail."""
    values = cel.to_cel({})
    for variable in wanted:
        try:
            program = cel.compiled(variable["expression"], VARIABLES)
            found = program.value(bindings.plus({}, {"variables": values}))
        except cel.EvaluationError:
            continue
        values = cel.with_entry(values, variable["name"], found)
    return values


def _broken(rule: Object, bindings: cel.Bindings, *, strict: bool) -> Iterator[tuple[str, str]]:
    expression, reason = rule["expression"], rule.get("reason") or "Invalid"
    try:
        if cel.compiled(expression, VARIABLES).true(bindings):
            return
    except cel.EvaluationError as problem:
        if strict:
            yield f"expression '{expression}' resulted in error: {problem}", "Invalid"
        return
    message = ""
    if rule.get("messageExpression"):
        message = cel.compiled(rule["messageExpression"], VARIABLES).message(bindings)
    message = message or rule.get("message", "").strip()
    squeezed = " ".join(expression.split())
    yield message or f"failed expression: {squeezed}", reason


def _denied(call: Call, names: tuple[str, str], message: str, reason: str) -> errors.ApiError:
    """Says forbidden whatever the code is, as the real server does."""
    text = f"ValidatingAdmissionPolicy '{names[0]}' with binding '{names[1]}' denied request: {message}"
    resource = call.resource
    refusal = errors.forbidden(resource.plural, resource.group, call.name, text)
    refusal.body |= {"reason": reason, "code": CODES.get(reason, 422)}
    refusal.body["details"]["causes"] = [{"message": text}]
    return refusal
