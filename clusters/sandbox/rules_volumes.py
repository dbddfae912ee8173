"""Volumes of a pod, and where its containers mount them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from clusters.sandbox import quantity
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import label_problems, quoted
from clusters.sandbox.rules_addresses import unsupported

Object = dict[str, Any]
HOST_PATHS = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive"
ONE_TYPE = "may not specify more than 1 volume type"
HIGHEST_MODE, LONGEST_TOKEN = 0o777, 2**32
SHORTEST_TOKEN = 600  # seconds


def _invalid(path: str, value: Any, why: str) -> FieldError:
    return FieldError("Invalid value", path, f"{orjson.dumps(value).decode()}: {why}")


def _required(path: str, holder: Object, *names: str) -> list[FieldError]:
    return [FieldError("Required value", f"{path}.{name}") for name in names if not holder.get(name)]


def volumes(spec: Object, path: str) -> tuple[dict[str, Object], list[FieldError]]:
    """The volumes that are sound, by name, and what is wrong with the others."""
    sound: dict[str, Object] = {}
    errors: list[FieldError] = []
    for i, volume in enumerate(spec.get("volumes") or ()):
        here, name = f"{path}.volumes[{i}]", volume.get("name", "")
        wrong = _source(volume, here)
        wrong += [_invalid(f"{here}.name", name, why) for why in label_problems(name)] if name else []
        if not name:
            wrong.append(FieldError("Required value", f"{here}.name"))
        if name in sound:
            wrong.append(FieldError("Duplicate value", f"{here}.name", quoted(name)))
        if not wrong:
            sound[name] = volume
        errors += wrong
    return sound, errors


def _source(volume: Object, path: str) -> list[FieldError]:
    kinds = [name for name in (*SOURCES, *OTHERS) if volume.get(name) is not None]
    if not kinds:
        return [FieldError("Required value", path, "must specify a volume type")]
    errors = SOURCES[kinds[0]](volume[kinds[0]], f"{path}.{kinds[0]}") if kinds[0] in SOURCES else []
    return errors + [FieldError("Forbidden", f"{path}.{name}", ONE_TYPE) for name in kinds[1:]]


def _empty(source: Object, path: str) -> list[FieldError]:
    size = source.get("sizeLimit")
    if size is not None and quantity.parse(size) < 0:
        return [FieldError("Forbidden", f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def host_path(source: Object, path: str) -> list[FieldError]:
    where, kind = source.get("path", ""), source.get("type")
    if not where:
        return [FieldError("Required value", f"{path}.path")]
    errors = _no_backsteps(where, f"{path}.path")
    return errors + ([unsupported(f"{path}.type", str(kind), HOST_PATHS)] if kind not in {None, *HOST_PATHS} else [])


def _no_backsteps(where: str, path: str) -> list[FieldError]:
    return [_invalid(path, where, "must not contain '..'")] if ".." in where.split("/") else []


def descending(where: str, path: str) -> list[FieldError]:
    """A path inside of something."""
    errors = [_invalid(path, where, "must be a relative path")] if where.startswith("/") else []
    return errors + _no_backsteps(where, path)


def _local(where: str, path: str) -> list[FieldError]:
    errors = descending(where, path)
    if where.startswith("..") and not where.startswith("../") and where != "..":
        errors.append(_invalid(path, where, "must not start with '..'"))
    return errors


def _mode(holder: Object, name: str, path: str) -> list[FieldError]:
    mode = holder.get(name)
    return [] if mode is None or 0 <= mode <= HIGHEST_MODE else [_invalid(f"{path}.{name}", mode, MODE_TEXT)]


def _items(source: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, item in enumerate(source.get("items") or ()):
        here = f"{path}.items[{i}]"
        errors += _required(here, item, "key", "path") + _local(item.get("path", ""), f"{here}.path")
        errors += _mode(item, "mode", here)
    return errors


def _secret(source: Object, path: str) -> list[FieldError]:
    return _required(path, source, "secretName") + _mode(source, "defaultMode", path) + _items(source, path)


def _config_map(source: Object, path: str) -> list[FieldError]:
    return _required(path, source, "name") + _mode(source, "defaultMode", path) + _items(source, path)


def nfs(source: Object, path: str) -> list[FieldError]:
    errors = _required(path, source, "server", "path")
    where = source.get("path", "")
    return errors if where.startswith("/") else [*errors, _invalid(f"{path}.path", where, "must be an absolute path")]


def _claim(source: Object, path: str) -> list[FieldError]:
    return _required(path, source, "claimName")


def _downward(source: Object, path: str) -> list[FieldError]:
    errors = _mode(source, "defaultMode", path)
    for item in source.get("items") or ():
        errors += _downward_file(item, path)
    return errors


def _downward_file(item: Object, path: str) -> list[FieldError]:
    errors = _required(path, item, "path") + _local(item.get("path", ""), f"{path}.path")
    if item.get("fieldRef") is None and item.get("resourceFieldRef") is None:
        errors.append(FieldError("Required value", path, "one of fieldRef and resourceFieldRef is required"))
    return errors + _mode(item, "mode", path)


def _projected(source: Object, path: str) -> list[FieldError]:
    errors = _mode(source, "defaultMode", path)
    for i, part in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{i}]"
        for name in ("secret", "configMap"):
            if part.get(name) is not None:
                errors += _required(f"{here}.{name}", part[name], "name") + _items(part[name], f"{here}.{name}")
        for item in (part.get("downwardAPI") or {}).get("items") or ():
            errors += _downward_file(item, f"{here}.downwardAPI")
        if part.get("serviceAccountToken") is not None:
            errors += _projected_token(part["serviceAccountToken"], f"{here}.serviceAccountToken", path)
    return errors


def _projected_token(token: Object, path: str, whole: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seconds, where = token.get("expirationSeconds", 3600), token.get("path", "")
    if seconds < SHORTEST_TOKEN:
        text = "may not specify a duration less than 10 minutes"
        errors.append(_invalid(f"{path}.expirationSeconds", seconds, text))
    if seconds > LONGEST_TOKEN:
        text = "may not specify a duration larger than 2^32 seconds"
        errors.append(_invalid(f"{path}.expirationSeconds", seconds, text))
    if not where:
        return [*errors, FieldError("Required value", f"{whole}.path")]
    return errors + _local(where, f"{whole}.path")


SOURCES: dict[str, Callable[[Any, str], list[FieldError]]] = {
    "emptyDir": _empty,
    "hostPath": host_path,
    "gitRepo": lambda source, path: _required(path, source, "repository"),
    "secret": _secret,
    "nfs": nfs,
    "persistentVolumeClaim": _claim,
    "downwardAPI": _downward,
    "configMap": _config_map,
    "projected": _projected,
    "csi": lambda source, path: _required(path, source, "driver"),
    "ephemeral": lambda source, path: _required(path, source, "volumeClaimTemplate"),
}
OTHERS = ("iscsi", "rbd", "cephfs", "image")  # whose content is not judged


def mounts(container: Object, sound: dict[str, Object], path: str) -> list[FieldError]:
    """Where one container mounts what; `path` is the container's."""
    errors: list[FieldError] = []
    base, seen = f"{path}.volumeMounts", set()
    devices = {(one.get("name"), one.get("devicePath")) for one in container.get("volumeDevices") or ()}
    for i, mount in enumerate(container.get("volumeMounts") or ()):
        here, name, where = f"{base}[{i}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            errors.append(FieldError("Required value", f"{here}.name"))
        if name not in sound:
            errors.append(FieldError("Not found", f"{here}.name", quoted(name)))
        if not where:
            errors.append(FieldError("Required value", f"{here}.mountPath"))
        if where in seen:
            errors.append(_invalid(f"{here}.mountPath", where, "must be unique"))
        seen.add(where)
        if any(name == other for other, _ in devices):
            errors.append(_invalid(f"{here}.name", name, "must not already exist in volumeDevices"))
        errors += _sub_paths(mount, here, base) + _propagation(mount, container, base)
    return errors + _devices(container, sound, path)


def _sub_paths(mount: Object, here: str, base: str) -> list[FieldError]:
    errors = descending(mount["subPath"], f"{base}.subPath") if mount.get("subPath") else []
    expression = mount.get("subPathExpr", "")
    if expression and mount.get("subPath"):
        errors.append(_invalid(f"{here}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive"))
    return errors + (descending(expression, f"{base}.subPathExpr") if expression else [])


def _propagation(mount: Object, container: Object, base: str) -> list[FieldError]:
    wanted, path = mount.get("mountPropagation"), f"{base}.mountPropagation"
    if wanted is None:
        return []
    if wanted not in PROPAGATIONS:
        return [unsupported(path, wanted, PROPAGATIONS)]
    if wanted == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        text = "Bidirectional mount propagation is available only to privileged containers"
        return [FieldError("Forbidden", path, text)]
    return []


def _devices(container: Object, sound: dict[str, Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, device in enumerate(container.get("volumeDevices") or ()):
        here, name = f"{path}.volumeDevices[{i}]", device.get("name", "")
        if not name:
            errors.append(FieldError("Required value", f"{here}.name"))
        if name not in sound:
            errors.append(FieldError("Not found", f"{here}.name", quoted(name)))
        elif not {"persistentVolumeClaim", "ephemeral"} & set(sound[name]):
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(_invalid(f"{here}.name", name, text))
        if not device.get("devicePath"):
            errors.append(FieldError("Required value", f"{here}.devicePath"))
    return errors
