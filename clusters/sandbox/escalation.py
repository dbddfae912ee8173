"""Nobody may grant what he does not hold: writes of roles need `escalate`, of bindings `bind`, or the rights themselves.

Judged after mutating admission and before validation, as the real server's RBAC storage does (k8s-transcript 11, 12).
"""

from __future__ import annotations

from itertools import product
from typing import Any

from clusters.sandbox import errors, rbac
from clusters.sandbox.call import Call
from clusters.sandbox.rbac import Wish
from clusters.sandbox.store import Store

Object = dict[str, Any]
EVERYTHING: list[Object] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]
CLEANUP = ("ownerReferences", "finalizers")  # a change of only these lets garbage collection go on


def check(store: Store, call: Call, obj: Object, old: Object | None) -> None:
    """Raises the 403 for a role or binding that gives its writer more than he has."""
    if call.user.admin or call.internal or call.resource.group != rbac.GROUP:
        return
    if old is not None and _only_cleanup(obj, old):
        return
    if call.resource.kind in {"Role", "ClusterRole"}:
        _check_role(store, call, obj, created=old is None)
    else:
        _check_binding(store, call, obj)


def _only_cleanup(obj: Object, old: Object) -> bool:
    def rest(of: Object) -> Object:
        meta = {k: v for k, v in of["metadata"].items() if k not in {*CLEANUP, "managedFields", "resourceVersion"}}
        return {**of, "metadata": meta}

    changed = any(obj["metadata"].get(name) != old["metadata"].get(name) for name in CLEANUP)
    return changed and rest(obj) == rest(old)


def _check_role(store: Store, call: Call, obj: Object, *, created: bool) -> None:
    namespace = call.namespace or ""
    name = "" if created else call.name
    wish = Wish("escalate", rbac.GROUP, call.resource.plural, "", namespace, name)
    if rbac.judge(store, call.user, wish).allowed:
        return
    if obj.get("aggregationRule"):
        held = [rule for rule, _ in rbac.resolve(store, call.user, namespace).rules]
        if not_held(held, EVERYTHING):
            raise _forbidden(call, "must have cluster-admin privileges to use the aggregationRule")
    _confirm(store, call, obj.get("rules") or [])


def _check_binding(store: Store, call: Call, obj: Object) -> None:
    ref = obj.get("roleRef") or {}
    namespace = call.namespace or ""
    plural = "roles" if ref.get("kind") == "Role" else "clusterroles"
    wish = Wish("bind", rbac.GROUP, plural, "", namespace, ref.get("name", ""))
    if rbac.judge(store, call.user, wish).allowed:
        return
    role = rbac.find_role(store, {"name": "", **ref}, namespace)
    if role is None:
        raise errors.not_found(call.resource.plural, rbac.GROUP, ref.get("name", ""))
    _confirm(store, call, role.get("rules") or [])


def _confirm(store: Store, call: Call, wanted: list[Object]) -> None:
    user = call.user
    granted = rbac.resolve(store, user, call.namespace or "")
    missing = not_held([rule for rule, _ in granted.rules], wanted)
    if not missing:
        return
    groups = _go(user.groups)
    why = f'user "{user.name}" (groups={groups}) is attempting to grant RBAC permissions not currently held:\n'
    why += "\n".join(sorted(compact(missing)))
    if granted.missing:
        why += f"; resolution errors: [{', '.join(granted.missing)}]"
    raise _forbidden(call, why)


def _forbidden(call: Call, why: str) -> errors.ApiError:
    return errors.forbidden(call.resource.plural, call.resource.group, call.name, why)


def not_held(held: list[Object], wanted: list[Object]) -> list[Object]:
    """The smallest parts of the wanted rules that no held rule covers."""
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(rule, part) for rule in held)]


def _parts(rule: Object) -> list[Object]:
    """A rule as rules of one group, resource, name and verb each."""
    verbs = rule.get("verbs") or []
    urls = rule.get("nonResourceURLs") or []
    if urls:
        return [{"nonResourceURLs": [url], "verbs": [verb]} for url, verb in product(urls, verbs)]
    out: list[Object] = []
    names: list[str | None] = rule.get("resourceNames") or [None]
    for group, resource, verb, name in product(rule.get("apiGroups") or [], rule.get("resources") or [], verbs, names):
        part: Object = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        if name is not None:
            part["resourceNames"] = [name]
        out.append(part)
    return out


def _covers(rule: Object, part: Object) -> bool:
    if not _holds(rule.get("verbs"), part["verbs"][0]):
        return False
    if "nonResourceURLs" in part:
        (url,) = part["nonResourceURLs"]
        return any(rbac.url_matches(given, url) for given in rule.get("nonResourceURLs") or ())
    if not _holds(rule.get("apiGroups"), part["apiGroups"][0]):
        return False
    resources, (resource,) = rule.get("resources") or (), part["resources"]
    subresource = resource.partition("/")[2]
    if not _holds(resources, resource) and not (subresource and f"*/{subresource}" in resources):
        return False
    names = rule.get("resourceNames") or ()
    return not names or bool(part.get("resourceNames") and part["resourceNames"][0] in names)


def _holds(given: Any, wanted: str) -> bool:
    return "*" in (given or ()) or wanted in (given or ())


def compact(parts: list[Object]) -> list[str]:
    """Parts of the same resource as one line, in the words of the real server."""
    merged: dict[str, list[str]] = {}
    for part in parts:
        verbs = merged.setdefault(_line(part), [])
        if part["verbs"][0] not in verbs:
            verbs.append(part["verbs"][0])
    return ["{" + f"{line}, Verbs:{_go(verbs)}" + "}" for line, verbs in merged.items()]


def _line(part: Object) -> str:
    names = ("APIGroups", "Resources", "NonResourceURLs", "ResourceNames")
    keys = ("apiGroups", "resources", "nonResourceURLs", "resourceNames")
    return ", ".join(f"{name}:{_go(part[key])}" for name, key in zip(names, keys, strict=True) if key in part)


def _go(words: Any) -> str:
    """How Go prints a list of strings with %q."""
    return "[" + " ".join(f'"{word}"' for word in words) + "]"
