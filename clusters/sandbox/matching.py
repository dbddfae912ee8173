"""Which requests a webhook or policy is asked about: operations, kinds, scope, selectors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from clusters.sandbox.call import Call, User
from clusters.sandbox.resources import Registry, Resource
from clusters.sandbox.selectors import matches_selector
from clusters.sandbox.store import Store

Object = dict[str, Any]
ADMISSION = "admissionregistration.k8s.io"
VALIDATING, MUTATING = f"validatingwebhookconfigurations.{ADMISSION}", f"mutatingwebhookconfigurations.{ADMISSION}"
POLICIES = f"validatingadmissionpolicies.{ADMISSION}"
POLICY_BINDINGS = f"validatingadmissionpolicybindings.{ADMISSION}"
EXEMPT = {VALIDATING, MUTATING, POLICIES, POLICY_BINDINGS}  # else nobody could repair a broken one


@dataclass
class Attributes:
    """One admission request, before it is written down for a webhook or a rule."""

    operation: str  # CREATE, UPDATE, DELETE
    resource: Resource
    namespace: str
    name: str  # empty where the server makes it up
    subresource: str
    obj: Object | None
    old: Object | None
    user: User
    dry_run: bool
    options: Object = field(default_factory=dict)

    def request(self, matched: Resource) -> Object:
        """The AdmissionRequest without its uid; `matched` is the version that a rule names."""
        out: Object = {"kind": _kind(matched), "resource": _resource(matched)}
        if self.subresource:
            out["subResource"] = self.subresource
        out |= {"requestKind": _kind(self.resource), "requestResource": _resource(self.resource)}
        if self.subresource:
            out["requestSubResource"] = self.subresource
        if self.name:
            out["name"] = self.name
        if self.namespace:
            out["namespace"] = self.namespace
        return out | {
            "operation": self.operation,
            "userInfo": self.user.info(),
            "object": in_version(self.obj, matched),
            "oldObject": in_version(self.old, matched),
            "dryRun": self.dry_run,
            "options": self.options,
        }


def attributes(call: Call, obj: Object | None, old: Object | None) -> Attributes:
    operation = "DELETE" if obj is None else "CREATE" if old is None else "UPDATE"
    kind = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}[operation]
    options = {"kind": kind, "apiVersion": "meta.k8s.io/v1", **call.options}
    if call.dry_run:
        options["dryRun"] = ["All"]
    namespace = call.namespace or ""
    if call.resource.key == "namespaces":
        namespace = call.name
    name = "" if call.generated else call.name
    return Attributes(
        operation, call.resource, namespace, name, call.subresource, obj, old, call.user, call.dry_run, options
    )


def in_version(obj: Object | None, resource: Resource) -> Object | None:
    return None if obj is None else {**obj, "kind": resource.kind, "apiVersion": resource.api_version}


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _resource(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def matched_version(
    registry: Registry, what: Attributes, rules: Iterable[Object], *, equivalent: bool
) -> Resource | None:
    """The version of the resource that a rule names: the request's own, else with Equivalent another one."""
    rules = list(rules)
    if any(_rule_matches(rule, what.resource, what) for rule in rules):
        return what.resource
    if not equivalent:
        return None
    key = what.resource.key
    others = (r for r in registry.by_path.values() if r.key == key and r is not what.resource)
    return next((r for r in others if any(_rule_matches(rule, r, what) for rule in rules)), None)


def _rule_matches(rule: Object, resource: Resource, what: Attributes) -> bool:
    operations = rule.get("operations") or ()
    scope = "Namespaced" if resource.namespaced else "Cluster"
    names = rule.get("resourceNames") or ()
    return (
        ("*" in operations or what.operation in operations)
        and _among(rule.get("apiGroups"), resource.group)
        and _among(rule.get("apiVersions"), resource.version)
        and rule.get("scope", "*") in {"*", scope}
        and any(_names(pattern, resource.plural, what.subresource) for pattern in rule.get("resources") or ())
        and (not names or what.name in names)
    )


def _among(given: Any, value: str) -> bool:
    return "*" in (given or ()) or value in (given or ())


def _names(pattern: str, plural: str, subresource: str) -> bool:
    wanted, _, sub = pattern.partition("/")
    return wanted in {"*", plural} and sub in ({"*", subresource} if subresource else {"", "*"})


def selected(store: Store, what: Attributes, holder: Object) -> bool:
    """Whether namespaceSelector and objectSelector of a webhook or policy take the request in."""
    chosen = holder.get("objectSelector")
    if chosen and not any(obj is not None and matches_selector(chosen, obj) for obj in (what.obj, what.old)):
        return False
    selector = holder.get("namespaceSelector")
    if not selector:
        return True
    if what.resource.key == "namespaces":
        own = what.obj or what.old
        return own is not None and matches_selector(selector, own)
    if not what.namespace:
        return True
    stored = store.get("namespaces", what.namespace)
    return stored is not None and matches_selector(selector, stored.obj)
