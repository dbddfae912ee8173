"""CustomResourceDefinitions (k8s-transcript 00)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox import crd_rules, crd_schemas, crd_versions
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import quoted
from clusters.sandbox.store import Store
from clusters.sandbox.structural import PRESERVE, has_rules

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
    if not spec.get("scope"):
        errors.append(FieldError("Required value", "spec.scope"))
    elif spec.get("scope") not in {"Cluster", "Namespaced"}:
        text = f'{quoted(spec.get("scope", ""))}: supported values: "Cluster", "Namespaced"'
        errors.append(FieldError("Unsupported value", "spec.scope", text))
    if spec.get("preserveUnknownFields"):
        text = f"true: cannot set to true, set {PRESERVE} to true in spec.versions[*].schema instead"
        errors.append(FieldError("Invalid value", "spec.preserveUnknownFields", text))
    errors += crd_versions.errors(spec)
    errors += _schemas(spec.get("versions") or [])
    if old is None:
        errors += _approval(new, group)
    elif old["spec"].get("scope") != spec.get("scope"):
        errors.append(FieldError("Invalid value", "spec.scope", f"{quoted(spec.get('scope', ''))}: field is immutable"))
    return errors


def _schemas(versions: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, version in enumerate(versions):
        if i == 0 or not crd_versions.common(versions, "schema"):
            errors += _schema(version, f"{crd_versions.place(versions, i, 'schema')}.openAPIV3Schema", i)
    return errors


def _schema(version: Object, path: str, i: int) -> list[FieldError]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not schema:
        errors = [FieldError("Required value", f"spec.versions[{i}].schema.openAPIV3Schema")]
        if version.get("selectableFields"):
            text = '"": may only be set when validations.schema is included'
            errors.append(FieldError("Invalid value", "spec.selectableFields", text))
        return errors
    errors = []
    if schema.get("type", "object") != "object" and "status" in (version.get("subresources") or {}):
        why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        errors.append(FieldError("Invalid value", f"{path}.type", f"{quoted(schema['type'])}: {why}"))
    errors += crd_schemas.errors(schema, path)
    if not errors and has_rules(schema):
        errors += crd_rules.definition_errors(schema, path)
    return errors


def _approval(new: Object, group: str) -> list[FieldError]:
    if not group.endswith(("k8s.io", "kubernetes.io")):
        return []
    if (new["metadata"].get("annotations") or {}).get(APPROVED):
        return []
    return [FieldError("Required value", f"metadata.annotations[{APPROVED}]", APPROVAL)]
