"""CustomResourceDefinitions (k8s-transcript 00)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox import crd_rules
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import quoted
from clusters.sandbox.store import Store
from clusters.sandbox.structural import has_rules

Object = dict[str, Any]
APPROVED = "api-approved.kubernetes.io"
APPROVAL = (
    f'protected groups must have approval annotation "{APPROVED}", '
    "see https://github.com/kubernetes/enhancements/pull/1111"
)


def definition(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    name, group = new["metadata"].get("name", ""), spec.get("group", "")
    plural = spec["names"].get("plural", "")
    if name != f"{plural}.{group}":
        text = f'{quoted(name)}: must be spec.names.plural+"."+spec.group'
        errors.append(FieldError("Invalid value", "metadata.name", text))
    if not group:
        errors.append(FieldError("Required value", "spec.group"))
    if spec.get("scope") not in {"Cluster", "Namespaced"}:
        text = f'{quoted(spec.get("scope", ""))}: supported values: "Cluster", "Namespaced"'
        errors.append(FieldError("Unsupported value", "spec.scope", text))
    stored = [version for version in spec.get("versions") or () if version.get("storage")]
    if len(stored) != 1:
        shown = "must have exactly one version marked as storage version"
        errors.append(FieldError("Invalid value", "spec.versions", f"null: {shown}"))
    for i, version in enumerate(spec.get("versions") or ()):
        errors += _version(f"spec.versions[{i}]", version)
    if old is None:
        errors += _approval(new, group)
    elif old["spec"].get("scope") != spec.get("scope"):
        errors.append(FieldError("Invalid value", "spec.scope", f"{quoted(spec.get('scope', ''))}: field is immutable"))
    return errors


def _version(path: str, version: Object) -> list[FieldError]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    errors: list[FieldError] = []
    if not schema:
        errors.append(FieldError("Required value", f"{path}.schema.openAPIV3Schema"))
        if version.get("selectableFields"):
            text = '"": may only be set when validations.schema is included'
            errors.append(FieldError("Invalid value", "spec.selectableFields", text))
    elif has_rules(schema):
        errors += crd_rules.definition_errors(schema, f"{path}.schema.openAPIV3Schema")
    if schema and schema.get("type") != "object":
        path = f"{path}.schema.openAPIV3Schema.type"
        if not schema.get("type"):
            errors.append(FieldError("Required value", path, "must not be empty at the root"))
        else:
            text = f"{quoted(schema['type'])}: must be object at the root"
            errors.append(FieldError("Invalid value", path, text))
    return errors


def _approval(new: Object, group: str) -> list[FieldError]:
    if not group.endswith(("k8s.io", "kubernetes.io")):
        return []
    if (new["metadata"].get("annotations") or {}).get(APPROVED):
        return []
    return [FieldError("Required value", f"metadata.annotations[{APPROVED}]", APPROVAL)]
