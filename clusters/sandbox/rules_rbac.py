"""Roles and bindings (k8s-replay 01, k8s-transcript 02, 11)."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import path_problems, quoted, subdomain_problems
from clusters.sandbox.store import Store

Object = dict[str, Any]
KINDS = ("ServiceAccount", "User", "Group")
GROUP = "rbac.authorization.k8s.io"


def _rules(new: Object, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, rule in enumerate(new.get("rules") or ()):
        path = f"rules[{i}]"
        if not rule.get("verbs"):
            errors.append(FieldError("Required value", f"{path}.verbs", "verbs must contain at least one value"))
        urls = rule.get("nonResourceURLs")
        if urls:
            shown = orjson.dumps(urls).decode()
            if namespaced:
                text = f"{shown}: namespaced rules cannot apply to non-resource URLs"
                errors.append(FieldError("Invalid value", f"{path}.nonResourceURLs", text))
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                text = f"{shown}: rules cannot apply to both regular resources and non-resource URLs"
                errors.append(FieldError("Invalid value", f"{path}.nonResourceURLs", text))
            continue
        if not rule.get("apiGroups"):
            text = "resource rules must supply at least one api group"
            errors.append(FieldError("Required value", f"{path}.apiGroups", text))
        if not rule.get("resources"):
            errors.append(
                FieldError("Required value", f"{path}.resources", "resource rules must supply at least one resource")
            )
    return errors


def role(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    return _rules(new, namespaced=True)


def cluster_role(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    return _rules(new, namespaced=False)


def binding(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    errors: list[FieldError] = []
    ref = new.get("roleRef") or {}
    if ref.get("apiGroup") != GROUP:
        text = f"{quoted(ref.get('apiGroup', ''))}: supported values: {quoted(GROUP)}"
        errors.append(FieldError("Unsupported value", "roleRef.apiGroup", text))
    allowed = ("Role", "ClusterRole") if new["kind"] == "RoleBinding" else ("ClusterRole",)
    if ref.get("kind") not in allowed:
        listed = ", ".join(quoted(kind) for kind in allowed)
        text = f"{quoted(ref.get('kind', ''))}: supported values: {listed}"
        errors.append(FieldError("Unsupported value", "roleRef.kind", text))
    if not ref.get("name"):
        errors.append(FieldError("Required value", "roleRef.name"))
    else:
        name = ref["name"]
        errors += [FieldError("Invalid value", "roleRef.name", f"{quoted(name)}: {why}") for why in path_problems(name)]
    for i, subject in enumerate(new.get("subjects") or ()):
        errors += _subject(f"subjects[{i}]", subject, new)
    if old is not None and old.get("roleRef") != ref:
        shown = {"APIGroup": ref.get("apiGroup", ""), "Kind": ref.get("kind", ""), "Name": ref.get("name", "")}
        text = f"{orjson.dumps(shown).decode()}: cannot change roleRef"
        errors.append(FieldError("Invalid value", "roleRef", text))
    return errors


def _subject(path: str, subject: Object, binding_obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    name, kind, group = subject.get("name", ""), subject.get("kind", ""), subject.get("apiGroup", "")
    if not name:
        errors.append(FieldError("Required value", f"{path}.name"))
    if kind not in KINDS:
        listed = ", ".join(quoted(item) for item in KINDS)
        errors.append(FieldError("Unsupported value", f"{path}.kind", f"{quoted(kind)}: supported values: {listed}"))
        return errors
    account = kind == "ServiceAccount"
    if account and name:
        problems = subdomain_problems(name)
        errors += [FieldError("Invalid value", f"{path}.name", f"{quoted(name)}: {why}") for why in problems]
    if group != ("" if account else GROUP):
        text = f"{quoted(group)}: supported values: {quoted('' if account else GROUP)}"
        errors.append(FieldError("Unsupported value", f"{path}.apiGroup", text))
    if account and not subject.get("namespace") and binding_obj["kind"] == "ClusterRoleBinding":
        errors.append(FieldError("Required value", f"{path}.namespace"))
    return errors
