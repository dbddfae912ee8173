"""Secrets and ConfigMaps (k8s-replay 01, k8s-transcript 02)."""

from __future__ import annotations

import base64
import re
from typing import Any

from clusters.sandbox import jsontext
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import quoted
from clusters.sandbox.store import Store

Object = dict[str, Any]
CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+\Z")
KEY_TEXT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"  # noqa: E501
LIMIT = 1024 * 1024
REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
IMMUTABLE = "field is immutable when `immutable` is set"


def _key_errors(keys: Any, path: str) -> list[FieldError]:
    errors = []
    for key in sorted(keys or ()):
        if len(key) > 253:
            errors.append(
                FieldError("Invalid value", f"{path}[{key}]", f"{quoted(key)}: must be no more than 253 characters")
            )
        if not CONFIG_KEY.match(key):
            errors.append(FieldError("Invalid value", f"{path}[{key}]", f"{quoted(key)}: {KEY_TEXT}"))
        if key.startswith("..") or key == ".":
            why = f"must not be '{key}'" if key in {".", ".."} else "must not start with '..'"
            errors.append(FieldError("Invalid value", f"{path}[{key}]", f"{quoted(key)}: {why}"))
    return errors


def _frozen(new: Object, old: Object, fields: tuple[str, ...]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = []
    if not new.get("immutable"):
        errors.append(FieldError("Forbidden", "immutable", IMMUTABLE))
    errors += [FieldError("Forbidden", name, IMMUTABLE) for name in fields if new.get(name) != old.get(name)]
    return errors


def secret(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    errors: list[FieldError] = []
    if old is not None:
        if new.get("type") != old.get("type"):
            errors.append(FieldError("Invalid value", "type", f"{quoted(new.get('type', ''))}: field is immutable"))
        errors += _frozen(new, old, ("data",))
    data = new.get("data") or {}
    errors += _key_errors(data, "data")
    size = sum(len(value) * 3 // 4 for value in data.values())
    if size > LIMIT:
        errors.append(FieldError("Too long", "data", f"may not be more than {LIMIT} bytes"))
    return errors + _typed_secret(new, data)


def _typed_secret(new: Object, data: Object) -> list[FieldError]:
    kind = new.get("type", "")
    if kind == "kubernetes.io/basic-auth":
        if "username" in data or "password" in data:
            return []
        return [FieldError("Required value", "data[username]"), FieldError("Required value", "data[password]")]
    if kind == "kubernetes.io/service-account-token":
        annotations = new["metadata"].get("annotations") or {}
        if not annotations.get("kubernetes.io/service-account.name"):
            return [FieldError("Required value", "metadata.annotations[kubernetes.io/service-account.name]")]
        return []
    required = REQUIRED_KEYS.get(kind, ())
    missing = [FieldError("Required value", f"data[{key}]") for key in required if key not in data]
    if kind == "kubernetes.io/ssh-auth" and not missing and not data[required[0]]:
        return [FieldError("Required value", f"data[{required[0]}]")]
    if not missing and kind in {"kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson"}:
        why = jsontext.no_object(base64.b64decode(data[required[0]]))
        if why:
            text = f'"<secret contents redacted>": {why}'
            return [FieldError("Invalid value", f"data[{required[0]}]", text)]
    return missing


def config_map(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    errors = _key_errors(new.get("data"), "data") + _key_errors(new.get("binaryData"), "binaryData")
    both = set(new.get("data") or ()) & set(new.get("binaryData") or ())
    for key in sorted(both):
        text = f"{quoted(key)}: duplicate of key present in binaryData"
        errors.append(FieldError("Invalid value", f"data[{key}]", text))
    size = sum(len(value.encode()) for value in (new.get("data") or {}).values())
    size += sum(len(value) * 3 // 4 for value in (new.get("binaryData") or {}).values())
    if size > LIMIT:
        errors.append(FieldError("Too long", "[]", f"may not be more than {LIMIT} bytes"))
    if old is not None:
        errors = _frozen(new, old, ("data", "binaryData")) + errors
    return errors
