"""What definitions say besides their schemas: names, versions, columns, subresources.

The real server keeps what all versions have in common at the top of a definition, and speaks of it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import subdomain_problems
from clusters.sandbox.verdicts import shown

Object = dict[str, Any]
LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
MIXED = "may have mixed case, but should otherwise match: "
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
SELECTABLE = {"string", "boolean", "integer"}
SELECTABLE_ONLY = (
    "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
)
LONGEST_WARNING = 256
SCALE_PATHS = {
    "specReplicasPath": (".spec.", "under .spec"),
    "statusReplicasPath": (".status.", "under .status"),
}
INTERNAL = {"name": "Name", "served": "Served", "storage": "Storage", "deprecated": "Deprecated"}


def common(versions: list[Object], name: str) -> bool:
    """Whether all versions say the same under a name."""
    return all(version.get(name) == versions[0].get(name) for version in versions)


def place(versions: list[Object], i: int, name: str) -> str:
    """Where the server speaks of what a version says under a name."""
    if not common(versions, name):
        return f"spec.versions[{i}].{name}"
    return "spec.validation" if name == "schema" else f"spec.{name}"


def _invalid(path: str, value: Any, why: str) -> FieldError:
    return FieldError("Invalid value", path, f"{shown(value)}: {why}")


def _label(path: str, value: str, beginning: str = "") -> Iterator[FieldError]:
    judged = value.lower() if beginning else value
    if not LABEL_1035.fullmatch(judged) or len(judged) > 63:
        yield _invalid(path, value, beginning + LABEL)


def errors(spec: Object) -> Iterator[FieldError]:
    versions: list[Object] = spec.get("versions") or []
    yield from _group(spec.get("group", ""))
    yield from _names(spec.get("names") or {})
    yield from _set_of(versions)
    for i, version in enumerate(versions):
        yield from _version(version, f"spec.versions[{i}]")
        if i == 0 or not common(versions, "additionalPrinterColumns"):
            columns = version.get("additionalPrinterColumns") or ()
            for j, column in enumerate(columns):
                yield from _column(column, f"{place(versions, i, 'additionalPrinterColumns')}[{j}]")
        if i == 0 or not common(versions, "selectableFields"):
            yield from _selectable(version, place(versions, i, "selectableFields"))
        scale = (version.get("subresources") or {}).get("scale")
        if scale is not None and (i == 0 or not common(versions, "subresources")):
            yield from _scale(scale, f"{place(versions, i, 'subresources')}.scale")


def _group(group: str) -> Iterator[FieldError]:
    if not group:
        yield FieldError("Required value", "spec.group")
    elif problems := subdomain_problems(group):
        yield _invalid("spec.group", group, ",".join(problems))
    elif "." not in group:
        yield _invalid("spec.group", group, "should be a domain with at least one dot")


def _names(names: Object) -> Iterator[FieldError]:
    kind = names.get("kind", "")
    whole = {
        "plural": names.get("plural", ""),
        "singular": names.get("singular") or kind.lower(),
        "kind": kind,
        "listKind": names.get("listKind") or (f"{kind}List" if kind else ""),
    }
    for name, value in whole.items():
        if not value:
            yield FieldError("Required value", f"spec.names.{name}")
        else:
            yield from _label(f"spec.names.{name}", value, MIXED if "ind" in name else "")
    for name in ("shortNames", "categories"):
        for i, value in enumerate(names.get(name) or ()):
            yield from _label(f"spec.names.{name}[{i}]", value)
    if kind and whole["listKind"] == kind:
        yield _invalid("spec.names.listKind", kind, "kind and listKind may not be the same")


def _set_of(versions: list[Object]) -> Iterator[FieldError]:
    """The versions taken together, and those that were stored."""
    printed = [_internal(version) for version in versions]
    names = [version.get("name", "") for version in versions]
    stored = [version["name"] for version in versions if version.get("storage")]
    if len(set(names)) < len(names):
        yield _listed(printed, "must contain unique version names")
    if len(stored) != 1:
        yield _listed(printed, "must have exactly one version marked as storage version")
    if not stored:
        yield _invalid("status.storedVersions", None, "must have at least one stored version")
    if names:
        yield from _label("spec.version", names[0])


def _listed(printed: Any, why: str) -> FieldError:
    return FieldError("Invalid value", "spec.versions", f"{orjson.dumps(printed).decode()}: {why}")


def _internal(version: Object) -> Object:
    """A version as the server prints it; what it keeps at the top is not there."""
    head = {word: version.get(name, "" if name == "name" else False) for name, word in INTERNAL.items()}
    rest = ("DeprecationWarning", "Schema", "Subresources", "AdditionalPrinterColumns", "SelectableFields")
    return {**head, **dict.fromkeys(rest), "DeprecationWarning": version.get("deprecationWarning")}


def _version(version: Object, path: str) -> Iterator[FieldError]:
    yield from _label(f"{path}.name", version.get("name", ""))
    warning = version.get("deprecationWarning")
    if warning is None:
        return
    where = f"{path}.deprecationWarning"
    strange = next((i for i, char in enumerate(warning) if not char.isprintable()), None)
    if not version.get("deprecated"):
        yield _invalid(where, warning, "can only be set for deprecated versions")
    if len(warning) > LONGEST_WARNING:
        yield _invalid(where, warning, f"must be <= {LONGEST_WARNING} characters long")
    if not warning:
        yield _invalid(where, warning, "must not be an empty string")
    if strange is not None:
        why = f"must only contain printable UTF-8 characters; non-printable character found at index {strange}"
        yield _invalid(where, warning, why)


def _simple(path: str, value: str) -> Iterator[FieldError]:
    if not value.startswith("."):
        yield _invalid(path, value, "must be a simple json path starting with .")


def _column(column: Object, path: str) -> Iterator[FieldError]:
    if not column.get("name"):
        yield FieldError("Required value", f"{path}.name")
    kind, form = column.get("type", ""), column.get("format", "")
    why = f"must be one of {','.join(COLUMN_TYPES)}"
    if not kind:
        yield FieldError("Required value", f"{path}.type", why)
    elif kind not in COLUMN_TYPES:
        yield _invalid(f"{path}.type", kind, why)
    if form and form not in COLUMN_FORMATS:
        yield _invalid(f"{path}.format", form, f"must be one of {','.join(COLUMN_FORMATS)}")
    if not column.get("jsonPath"):
        yield FieldError("Required value", f"{path}.JSONPath")
    else:
        yield from _simple(f"{path}.JSONPath", column["jsonPath"])


def _selectable(version: Object, path: str) -> Iterator[FieldError]:
    """Fields that selectors may name: text, numbers and switches that the schema has."""
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    seen: set[str] = set()
    for j, one in enumerate(version.get("selectableFields") or () if schema else ()):
        where, named = f"{path}[{j}].jsonPath", one.get("jsonPath", "")
        if not named:
            yield FieldError("Required value", where)
            continue
        try:
            kind = _type_at(schema, named)
        except LookupError as problem:
            yield _invalid(where, named, f"is an invalid path: {problem.args[0]}")
            continue
        if kind not in SELECTABLE:
            yield _invalid(where, named, SELECTABLE_ONLY)
        if named in seen:
            yield FieldError("Duplicate value", where, shown(named))
        seen.add(named)


def _type_at(schema: Any, path: str) -> str:
    """The type of what a path leads to; raises LookupError with the server's words."""
    if path[0] not in ".[":
        raise LookupError(f"expected [ or . but got: {path}")
    for name in path[1:].split("."):
        word, bracket, _ = name.partition("[")
        found = (schema.get("properties") or {}).get(word)
        if found is None or (bracket and found.get("type") != "array"):
            raise LookupError("does not refer to a valid field")
        if bracket:
            raise LookupError("array notation is not allowed")
        schema = found
    return str(schema.get("type", ""))


def _scale(scale: Object, path: str) -> Iterator[FieldError]:
    for name, (beginning, words) in SCALE_PATHS.items():
        value = scale.get(name, "")
        if not value:
            yield FieldError("Required value", f"{path}.{name}")
        elif found := list(_simple(f"{path}.{name}", value)):
            yield from found
        elif not value.startswith(beginning):
            yield _invalid(f"{path}.{name}", value, f"should be a json path {words}")
    value = scale.get("labelSelectorPath") or ""
    if value and not (found := list(_simple(f"{path}.labelSelectorPath", value))):
        if not value.startswith((".spec.", ".status.")):
            why = "should be a json path under either .spec or .status"
            yield _invalid(f"{path}.labelSelectorPath", value, why)
    elif value:
        yield from found
