"""Rules for volumes, cloud-init data, data volume templates and access credentials (verdicts: k8s-transcript/20)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from clusters.sandbox.kubevirt.causes import NOT_FOUND, REQUIRED, Cause
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.paths import Path

Object = dict[str, Any]
SOURCES = (
    "persistentVolumeClaim",
    "sysprep",
    "cloudInitNoCloud",
    "cloudInitConfigDrive",
    "containerDisk",
    "ephemeral",
    "emptyDisk",
    "hostDisk",
    "dataVolume",
    "configMap",
    "secret",
    "downwardAPI",
    "serviceAccount",
    "downwardMetrics",
    "memoryDump",
    "containerPath",
)
NAMES = (("configMap", "name"), ("secret", "secretName"), ("serviceAccount", "serviceAccountName"))
CLOUD_INIT_LIMIT = 2048
BASE64 = re.compile("[A-Za-z0-9+/]*")
SINGLES = (("serviceAccount", "serviceAccount"), ("downwardMetrics", "downwardMetric"), ("memoryDump", "memory dump"))


def volume_causes(path: Path, volumes: list[Object], gates: Gates) -> Iterator[Cause]:
    first: dict[str, int] = {}
    for index, volume in enumerate(volumes):
        where = path.index(index)
        if volume["name"] in first:
            text = f"{where} and {path.index(first[volume['name']])} must not have the same Name."
            yield Cause(text, str(where.child("name")))
        first.setdefault(volume["name"], index)
        yield from _one_volume(where, volume, gates)
    for kind, words in SINGLES:
        if sum(kind in volume for volume in volumes) > 1:
            yield Cause(f"{path} must have max one {words} volume set", str(path))


def _one_volume(where: Path, volume: Object, gates: Gates) -> Iterator[Cause]:
    if "dataVolume" in volume and not volume["dataVolume"].get("name"):
        yield Cause("DataVolume 'name' must be set", str(where.child("name")), REQUIRED)
    if sum(source in volume for source in SOURCES) != 1:
        yield Cause(f"{where} must have exactly one source type set", str(where))
    cloud_init = next((kind for kind in ("cloudInitNoCloud", "cloudInitConfigDrive") if kind in volume), None)
    if cloud_init:
        yield from _cloud_init(where.child(cloud_init), cloud_init, volume[cloud_init])
    if "downwardMetrics" in volume and not gates.on("DownwardMetrics"):
        text = "downwardMetrics disks are not allowed: DownwardMetrics feature gate is not enabled."
        yield Cause(text, str(where))
    if "hostDisk" in volume:
        yield from _host_disk(where, volume["hostDisk"], gates)
    for kind, key in NAMES:
        if kind in volume and not volume[kind].get(key):
            field = where.child(kind, key)
            yield Cause(f"{field} is a required field", str(field))


def _cloud_init(where: Path, kind: str, data: Object) -> Iterator[Cause]:
    """Inline data is small and comes from one place; both kinds of data follow the same rules."""
    user, user_size = 0, 0
    network, network_size = 0, 0
    for word, secret in (("user", "secretRef"), ("network", "networkDataSecretRef")):
        count, size = int(bool((data.get(secret) or {}).get("name"))), 0
        encoded = data.get(f"{word}DataBase64")
        if encoded:
            count += 1
            size, valid = _decoded(encoded)
            if not valid:
                field = where.child(f"{word}DataBase64")
                yield Cause(f"{field}.{kind}.{word}DataBase64 is not a valid base64 value.", str(field))
        if data.get(f"{word}Data"):
            count += 1
            size = len(data[f"{word}Data"].encode())
        if word == "user":
            user, user_size = count, size
            yield from _cloud_init_limits(where, "userdatasource", "userdata", user, user_size)
        else:
            network, network_size = count, size
            yield from _cloud_init_limits(where, "networkdata source", "networkdata", network, network_size)
    if not user and not network:
        text = f"{where} must have at least one userdatasource or one networkdatasource set."
        yield Cause(text, str(where))


def _cloud_init_limits(where: Path, source: str, word: str, count: int, size: int) -> Iterator[Cause]:
    if count > 1:
        yield Cause(f"{where} must have only one {source} set.", str(where))
    if size > CLOUD_INIT_LIMIT:
        secret = "UserDataSecretRef" if word == "userdata" else "NetworkDataSecretRef"
        text = f"{where} {word} exceeds {CLOUD_INIT_LIMIT} byte limit. Should use {secret} for larger data."
        yield Cause(text, str(where))


def _decoded(text: str) -> tuple[int, bool]:
    text = text.replace("\r", "").replace("\n", "")  # as Go's decoder does
    try:
        return len(base64.b64decode(text, validate=True)), True
    except (binascii.Error, ValueError):
        return BASE64.match(text).end() // 4 * 3, False  # type: ignore[union-attr]  # what came before the fault counts


def _host_disk(where: Path, disk: Object, gates: Gates) -> Iterator[Cause]:
    if not gates.on("HostDisk"):
        yield Cause("HostDisk feature gate is not enabled", str(where))
    field = where.child("hostDisk", "path")
    if not disk.get("path"):
        yield Cause(f"{field} is required for hostDisk volume", str(field), NOT_FOUND)
    kind, field = disk.get("type", ""), where.child("hostDisk", "type")
    if kind not in ("Disk", "DiskOrCreate"):
        yield Cause(f"{field} has invalid value '{kind}', allowed are 'Disk' or 'DiskOrCreate'", str(field))
    if kind == "Disk" and disk.get("capacity") not in (None, "0"):
        capacity = where.child("hostDisk", "capacity")
        yield Cause(f"{capacity} is allowed to pass only with {field} equal to 'DiskOrCreate'", str(capacity))


def data_volume_template_causes(spec: Object) -> Iterator[Cause]:
    """spec.dataVolumeTemplates; the path KubeVirt prints has no plural s."""
    volumes = spec["template"].get("spec", {}).get("volumes") or []
    used = {(volume.get("dataVolume") or {}).get("name") for volume in volumes}
    used |= {(volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in volumes}
    for index, template in enumerate(spec.get("dataVolumeTemplates") or []):
        path = Path("spec.dataVolumeTemplate").index(index)
        name = (template.get("metadata") or {}).get("name")
        wrong = _template_cause(path, name, template.get("spec") or {})
        if wrong:
            yield wrong
        elif name not in used:
            text = f"DataVolumeTemplate entry {path} must be referenced in the VMI template's 'volumes' list"
            yield Cause(text, str(path), REQUIRED)


def _template_cause(path: Path, name: str | None, spec: Object) -> Cause | None:
    if not name:
        text = f"'name' field must not be empty for DataVolumeTemplate entry {path.child('name')}."
        return Cause(text, str(path.child("name")), REQUIRED)
    targets = [key for key in ("pvc", "storage") if key in spec]
    if len(targets) != 1:
        missing = "Missing Data volume PVC or Storage"
        both = "Duplicate storage definition, both target storage and target pvc defined"
        return Cause(both if targets else missing, str(path.child("PVC", "Storage")))
    external = any(key in spec[targets[0]] for key in ("dataSource", "dataSourceRef"))
    internal = "source" in spec or "sourceRef" in spec
    if external and internal:
        return Cause("External population is incompatible with Source and SourceRef", str(path.child("source")))
    if not external and not internal:
        text = "Data volume should have either Source, SourceRef, or be externally populated"
        return Cause(text, str(path.child("source", "sourceRef")))
    if "source" in spec and len(spec["source"]) != 1:
        text = "Multiple dataVolume sources" if spec["source"] else "Missing dataVolume valid source"
        return Cause(text, str(path.child("source")))
    return None


def credential_causes(path: Path, spec: Object) -> Iterator[Cause]:
    volumes = spec.get("volumes") or []
    present = {
        "noCloud": any("cloudInitNoCloud" in volume for volume in volumes),
        "configDrive": any("cloudInitConfigDrive" in volume for volume in volumes),
    }
    for index, credential in enumerate(spec.get("accessCredentials") or []):
        where = path.index(index)
        if "sshPublicKey" in credential:
            yield from _ssh_key(where, credential["sshPublicKey"], present)
        if "userPassword" in credential:
            yield from _exactly_one(where, "userPassword", credential["userPassword"], ("qemuGuestAgent",))
        if sum(key in credential for key in ("sshPublicKey", "userPassword")) != 1:
            yield Cause(f"{where} must have exactly one access credential type set", str(where))


def _ssh_key(where: Path, key: Object, present: dict[str, bool]) -> Iterator[Cause]:
    method = key.get("propagationMethod") or {}
    field = where.child("sshPublicKey", "propagationMethod")
    for name, there in present.items():
        if name in method and not there:
            text = f"{where} requires a {name} volume to exist when the {name} propagationMethod is in use."
            yield Cause(text, str(field))
    if "qemuGuestAgent" in method and not method["qemuGuestAgent"].get("users"):
        text = f"{where} requires at least one user to be present in the users list"
        yield Cause(text, str(field.child("qemuGuestAgent", "users")))
    yield from _exactly_one(where, "sshPublicKey", key, ("noCloud", "configDrive", "qemuGuestAgent"))


def _exactly_one(where: Path, kind: str, credential: Object, methods: tuple[str, ...]) -> Iterator[Cause]:
    if "secret" not in (credential.get("source") or {}):
        yield Cause(f"{where} must have exactly one source set", str(where.child(kind, "source")))
    method = credential.get("propagationMethod") or {}
    if sum(name in method for name in methods) != 1:
        text = f"{where} must have exactly one propagationMethod set"
        yield Cause(text, str(where.child(kind, "propagationMethod")))
