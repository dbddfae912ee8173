"""Rules for devices that a resource claim or a device plugin provides, in virt-api's order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clusters.sandbox.kubevirt.causes import DUPLICATE, REQUIRED, Cause
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.names import dns_label, dns_subdomain
from clusters.sandbox.kubevirt.paths import Path

Object = dict[str, Any]
KINDS = (("gpus", "GPU", "GPUsWithDRA", True), ("hostDevices", "HostDevice", "HostDevicesWithDRA", False))
Pairs = dict[str, int]  # claim/request → index of the first device that names it


def claim_causes(path: Path, spec: Object, gates: Gates) -> Iterator[Cause]:
    claims = spec.get("resourceClaims") or []
    yield from _resource_claims(path.child("resourceClaims"), claims)
    devices = (spec.get("domain") or {}).get("devices") or {}
    used: set[str] = set()
    owners: dict[str, tuple[str, int]] = {}
    clashes: list[Cause] = []
    for key, word, gate, separate in KINDS:
        field = path.child("domain", "devices", key)
        pairs: Pairs = {}
        yield from _devices(field, key, word, devices.get(key) or [], pairs, on=gates.on(gate), separate=separate)
        used |= {pair.partition("/")[0] for pair in pairs}
        clashes += _clashes(f"{word}s", field, pairs, owners)
    yield from clashes
    if used - {claim.get("name") for claim in claims}:
        text = "vmi.spec.resourceClaims must specify all claims used in vmi.spec.domain.devices.gpus and "
        yield Cause(text + "vmi.spec.domain.devices.hostDevices", str(path.child("resourceClaims")))


def _clashes(word: str, field: Path, pairs: Pairs, owners: dict[str, tuple[str, int]]) -> Iterator[Cause]:
    """The same part of a claim for devices of different kinds."""
    for pair, index in pairs.items():
        if pair in owners:
            other, place = owners[pair]
            text = f'duplicate claimName/requestName pair "{pair}" between {other}[{place}] and {word}[{index}]'
            yield Cause(text, str(field.index(index)), DUPLICATE)
        else:
            owners[pair] = (word, index)


def _resource_claims(path: Path, claims: list[Object]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        where, name = path.index(index), claim.get("name")
        field = where.child("name")
        if not name:
            yield Cause(f"{field} is a required field", str(field), REQUIRED)
        elif name in seen:
            yield Cause(f'duplicate resourceClaims name "{name}"', str(field), DUPLICATE)
        else:
            wrong = dns_label(name)
            if wrong:
                text = f"{field} does not conform to the kubernetes DNS_LABEL rules: {', '.join(wrong)}"
                yield Cause(text, str(field))
            seen.add(name)
        keys = ("resourceClaimName", "resourceClaimTemplateName")
        given = [key for key in keys if claim.get(key) is not None]
        if len(given) > 1:
            yield Cause("at most one of resourceClaimName or resourceClaimTemplateName may be specified", str(where))
        if not given:
            yield Cause("must specify one of: resourceClaimName, resourceClaimTemplateName", str(where))
        for key in given:
            for text in dns_subdomain(claim[key]):
                yield Cause(text, str(where.child(key)))


def _claimed(device: Object) -> bool:
    return not device.get("deviceName") and ("claimName" in device or "requestName" in device)


def _devices(
    field: Path, key: str, word: str, devices: list[Object], pairs: Pairs, *, on: bool, separate: bool
) -> Iterator[Cause]:
    whole = f"vmi.spec.domain.devices.{key} contains"
    claimed = [(index, device) for index, device in enumerate(devices) if _claimed(device)]
    plain = [device for device in devices if not _claimed(device)]
    if separate and claimed and plain:
        yield Cause(f"{whole} both DRA and non-DRA {word}s; each {word} must be either DRA or non-DRA", str(field))
        return
    for device in plain:
        if not device.get("deviceName"):
            text = f"{whole} {word}s without deviceName or claimRequest; each {word} must specify either a deviceName "
            yield Cause(text + "or a claimRequest", str(field), REQUIRED)
        elif "claimName" in device or "requestName" in device:
            yield Cause(f"{whole} {word}s with both deviceName and claimRequest", str(field))
    if claimed and not on:
        yield Cause(f"{whole} DRA enabled {word}s but feature gate is not enabled", str(field))
        return
    for index, device in claimed:
        missing = [name for name in ("claimName", "requestName") if not device.get(name)]
        for name in missing:
            yield Cause(f"{name} is required for DRA {word}", str(field.index(index).child(name)), REQUIRED)
        if missing:
            continue
        pair = f"{device['claimName']}/{device['requestName']}"
        if pair in pairs:
            yield Cause(f'duplicate claimName/requestName pair "{pair}"', str(field.index(index)), DUPLICATE)
        pairs.setdefault(pair, index)
