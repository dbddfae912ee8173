"""Validation of metadata, in the words of the real server (k8s-replay 01, k8s-transcript 12)."""

from __future__ import annotations

import re
from typing import Any

import orjson

from clusters.sandbox.call import Call
from clusters.sandbox.errors import FieldError, Object
from clusters.sandbox.resources import Resource

LABEL_1123 = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"  # noqa: E501
SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"  # noqa: E501
LABEL_VALUE = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"  # noqa: E501
KEY_TAIL = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"  # noqa: E501
KEY_WHOLE = (
    "a valid label key " + KEY_TAIL + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)

RE_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
RE_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
RE_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\Z")
RE_KEY = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")

ANNOTATIONS_LIMIT = 256 * 1024
STANDARD_FINALIZERS = {"foregroundDeletion", "orphan", "kubernetes"}
LABEL_NAMED = {"namespaces", "services", "statefulsets.apps"}
PATH_NAMED = {"roles", "rolebindings", "clusterroles", "clusterrolebindings"}


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _invalid(path: str, value: str, why: str) -> FieldError:
    return FieldError("Invalid value", path, f"{quoted(value)}: {why}")


def label_problems(value: str) -> list[str]:
    out = [] if len(value) <= 63 else ["must be no more than 63 characters"]
    if RE_LABEL.match(value):
        return out
    return [*out, "must not contain dots" if RE_SUBDOMAIN.match(value) else LABEL_1123]


def subdomain_problems(value: str) -> list[str]:
    out = [] if len(value) <= 253 else ["must be no more than 253 characters"]
    return out if RE_SUBDOMAIN.match(value) else [*out, SUBDOMAIN]


def name_problems(resource: Resource, name: str) -> list[str]:
    """Why the name will not do for this kind."""
    if resource.group == "rbac.authorization.k8s.io" and resource.plural in PATH_NAMED:
        return path_problems(name)
    if resource.key in LABEL_NAMED:
        return label_problems(name)
    return subdomain_problems(name)


def path_problems(name: str) -> list[str]:
    if name in {".", ".."}:
        return [f"may not be '{name}'"]
    return [f"may not contain '{mark}'" for mark in ("/", "%") if mark in name]


def label_value_problems(value: str) -> list[str]:
    out = [] if len(value) <= 63 else ["must be no more than 63 bytes"]
    return out if RE_VALUE.match(value) else [*out, LABEL_VALUE]


def key_problems(key: str) -> list[str]:
    """Qualified names: label keys, annotation keys, finalizers."""
    parts = key.split("/")
    if len(parts) > 2:
        return [KEY_WHOLE]
    name = parts[-1]
    out: list[str] = []
    if len(parts) == 2:
        prefix = parts[0]
        if not prefix:
            out.append("prefix part must be non-empty")
        else:
            problems = subdomain_problems(prefix)
            out += ["prefix part " + text.replace("253 characters", "253 bytes") for text in problems]
    if not name:
        out.append("name part must be non-empty")
    elif len(name) > 63:
        out.append("name part must be no more than 63 bytes")
    if not RE_KEY.match(name):
        out.append("name part " + KEY_TAIL)
    return out


def labels_errors(labels: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in sorted(labels):
        errors += [_invalid(path, key, why) for why in key_problems(key)]
        errors += [_invalid(path, labels[key], why) for why in label_value_problems(labels[key])]
    return errors


SELECTING = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}  # operator → does it take values?


def selector_errors(selector: Object | None, path: str) -> list[FieldError]:
    """A selector with `matchLabels` and `matchExpressions`."""
    selector = selector or {}
    errors = labels_errors(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for i, expression in enumerate(selector.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{i}]"
        operator, values = expression.get("operator", ""), expression.get("values") or []
        takes = SELECTING.get(operator)
        if takes is None:
            errors.append(_invalid(f"{here}.operator", operator, "not a valid selector operator"))
        elif takes and not values:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            errors.append(FieldError("Required value", f"{here}.values", text))
        elif not takes and values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(FieldError("Forbidden", f"{here}.values", text))
        key = expression.get("key", "")
        errors += [_invalid(f"{here}.key", key, why) for why in key_problems(key)]
        for j, value in enumerate(values):
            errors += [_invalid(f"{here}.values[{j}]", value, why) for why in label_value_problems(value)]
    return errors


def _annotations_errors(annotations: dict[str, Any]) -> list[FieldError]:
    errors = []
    for key in sorted(annotations):
        errors += [_invalid("metadata.annotations", key, why) for why in key_problems(key.lower())]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > ANNOTATIONS_LIMIT:
        errors.append(FieldError("Too long", "metadata.annotations", f"may not be more than {ANNOTATIONS_LIMIT} bytes"))
    return errors


def _owner_printed(owner: Object) -> Object:
    order = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
    return {name: owner[name] for name in order if name in owner}


def _owner_errors(owners: list[Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    controller = ""
    for owner in owners:
        path = "metadata.ownerReferences"
        version = owner.get("apiVersion", "")
        if version.count("/") > 1 or not version.rpartition("/")[2]:
            errors.append(_invalid(f"{path}.apiVersion", version, "version must not be empty"))
        errors += [
            _invalid(f"{path}.{name}", "", "must not be empty")
            for name in ("kind", "name", "uid")
            if not owner.get(name)
        ]
        if (version, owner.get("kind")) == ("v1", "Event"):
            shown = orjson.dumps(_owner_printed(owner)).decode()
            why = "/v1, Kind=Event is disallowed from being an owner"
            errors.append(FieldError("Invalid value", path, f"{shown}: {why}"))
        if owner.get("controller"):
            named = f"{owner.get('kind')}/{owner.get('name')}"
            if controller:
                shown = orjson.dumps([_owner_printed(o) for o in owners]).decode()
                why = "Only one reference can have Controller set to true."
                found = f'Found "true" in references for {controller} and {named}'
                errors.append(FieldError("Invalid value", path, f"{shown}: {why} {found}"))
            controller = controller or named
    return errors


REPEATED = (
    ".metadata.ownerReferences contains duplicate entries{}; API server dedups owner references in 1.20+, and may reject "
    "such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}"
)


def one_of_each_owner(call: Call, meta: Object) -> None:
    """Drops owners that are named twice (in place) and warns of them."""
    owners = meta.get("ownerReferences") or []
    kept: list[Object] = []
    for owner in owners:
        if owner not in kept:
            kept.append(owner)
    if len(kept) < len(owners):
        twice = [owner for i, owner in enumerate(owners) if owner in owners[:i]]
        late = " after mutating admission happens" if call.media else ""
        call.warnings.append(REPEATED.format(late, ", ".join(owner.get("uid", "") for owner in twice)))
        meta["ownerReferences"] = kept


def create_errors(resource: Resource, obj: Object) -> list[FieldError]:
    meta = obj["metadata"]
    if resource.key in UNJUDGED:
        name = meta.get("name", "")
        unnamed = [] if name else [FieldError("Required value", "metadata.name", "name or generateName is required")]
        named = [_invalid("metadata.name", name, why) for why in path_problems(name)]
        return unnamed + named + common_errors(meta) + _finalizer_names(meta)
    errors = _named_errors(resource, meta) + common_errors(meta)
    return errors + _finalizer_names(meta) + _finalizer_domains(resource, meta)


def _named_errors(resource: Resource, meta: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    name, beginning = meta.get("name", ""), meta.get("generateName")
    if beginning:
        # A dash at the end hides the letter before it, as in the real server.
        ended = beginning[:-2] + "a" if len(beginning) > 1 and beginning.endswith("-") else beginning
        errors += [_invalid("metadata.generateName", beginning, why) for why in name_problems(resource, ended)]
    if not name:
        errors.append(FieldError("Required value", "metadata.name", "name or generateName is required"))
    else:
        errors += [_invalid("metadata.name", name, why) for why in name_problems(resource, name)]
    return errors


def _finalizer_names(meta: Object) -> list[FieldError]:
    finalizers = meta.get("finalizers") or []
    errors = [_invalid("metadata.finalizers", name, why) for name in finalizers for why in key_problems(name)]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        text = f"{orjson.dumps(finalizers).decode()}: finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(FieldError("Invalid value", "metadata.finalizers", text))
    return errors


LENIENT_GROUPS = {"admissionregistration.k8s.io", "coordination.k8s.io"}


def _finalizer_domains(resource: Resource, meta: Object) -> list[FieldError]:
    """Built-in kinds refuse what custom resources only warn about."""
    if resource.custom or resource.group in LENIENT_GROUPS:
        return []
    return [
        _invalid(
            f"metadata.finalizers[{i}]", name, "name is neither a standard finalizer name nor is it fully qualified"
        )
        for i, name in enumerate(meta.get("finalizers") or ())
        if "/" not in name and name not in STANDARD_FINALIZERS
    ]


def common_errors(meta: Object) -> list[FieldError]:
    errors = labels_errors(meta.get("labels") or {}, "metadata.labels") if meta.get("labels") else []
    if meta.get("annotations"):
        errors += _annotations_errors(meta["annotations"])
    if meta.get("ownerReferences"):
        errors += _owner_errors(meta["ownerReferences"])
    return errors


UNJUDGED = {"events", "poddisruptionbudgets.policy"}  # kinds whose metadata is looked at last, and only roughly
JUDGED_ANEW = {  # kinds that an update validates as if they were made anew, metadata included
    "configmaps",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "ingresses.networking.k8s.io",
    "ingressclasses.networking.k8s.io",
    "jobs.batch",
    "limitranges",
    "namespaces",
    "nodes",
    "pods",
    "statefulsets.apps",
    "persistentvolumeclaims",
    "persistentvolumes",
    "secrets",
    "serviceaccounts",
    "storageclasses.storage.k8s.io",
    *(f"{plural}.rbac.authorization.k8s.io" for plural in PATH_NAMED),
}
NOT_COMPARED = {
    "limitranges",
    "endpointslices.discovery.k8s.io",
}  # kinds whose own update rules leave the former metadata alone


UNCHANGING = ("deletionTimestamp", "deletionGracePeriodSeconds")  # only a DELETE sets them


def update_errors(resource: Resource, old: Object, new: Object, subresource: str) -> list[FieldError]:
    """The real server judges metadata several times on updates; messages don't show it, the causes do."""
    before, after = old["metadata"], new["metadata"]
    if resource.key in UNJUDGED:
        return common_errors(after) + _finalizer_names(after) + _change_errors(before, after)
    common = common_errors(after)
    compared = _change_errors(before, after) + common
    errors = common + _finalizer_names(after) + compared
    if resource.key not in NOT_COMPARED or subresource:
        errors += compared + _finalizer_domains(resource, after)
    if resource.key in JUDGED_ANEW and not subresource:
        errors += create_errors(resource, new)
    return errors


def _change_errors(before: Object, after: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    if before.get("deletionTimestamp"):
        known = set(before.get("finalizers") or ())
        fresh = sorted({f for f in after.get("finalizers") or () if f not in known})
        if fresh:
            listed = ", ".join(quoted(f) for f in fresh)
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
            errors.append(FieldError("Forbidden", "metadata.finalizers", why))
    errors += [
        FieldError("Invalid value", f"metadata.{name}", f"{orjson.dumps(after[name]).decode()}: field is immutable")
        for name in UNCHANGING
        if name in after and after[name] != before.get(name)
    ]
    if after.get("uid") and after["uid"] != before.get("uid"):
        errors.append(_invalid("metadata.uid", after["uid"], "field is immutable"))
    return errors


def finalizer_warnings(meta: Object) -> list[str]:
    """A finalizer without a domain is accepted with a warning (k8s-transcript 07)."""
    return [
        f'metadata.finalizers: "{finalizer}": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers'  # noqa: E501
        for finalizer in meta.get("finalizers") or ()
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS
    ]
