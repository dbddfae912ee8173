"""IP addresses, CIDRs and the fields of a service that hold them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import quoted

Object = dict[str, Any]
NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
MORE_BITS = "must not have bits set beyond the prefix length"
FAMILIES = ("IPv4", "IPv6")
POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")


def unsupported(path: str, value: str, allowed: tuple[str, ...]) -> FieldError:
    listed = ", ".join(quoted(item) for item in allowed)
    return FieldError("Unsupported value", path, f"{quoted(value)}: supported values: {listed}")


def address_errors(path: str, value: str) -> list[FieldError]:
    try:
        ip_address(value)
    except ValueError:
        return [FieldError("Invalid value", path, f"{quoted(value)}: {NO_ADDRESS}")]
    return []


def cidr_errors(path: str, value: str) -> list[FieldError]:
    try:
        ip_network(value, strict=False)
    except ValueError:
        return [FieldError("Invalid value", path, f"{quoted(value)}: {NO_CIDR}")]
    if "/" not in value:
        return [FieldError("Invalid value", path, f"{quoted(value)}: {NO_CIDR}")]
    if _has_more_bits(value):
        return [FieldError("Invalid value", path, f"{quoted(value)}: {MORE_BITS}")]
    return []


def _has_more_bits(value: str) -> bool:
    """Whether the address names a machine, not its network."""
    return ip_address(value.partition("/")[0]) != ip_network(value, strict=False).network_address


def special_errors(path: str, value: str) -> list[FieldError]:
    """Addresses that mean the machine itself or its link are nobody's."""
    address = ip_address(value)
    reasons = (
        (address.is_unspecified, f"may not be unspecified ({value})"),
        (address.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (address.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (
            value.startswith(("224.0.0.", "ff02:")),
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    )
    return [FieldError("Invalid value", path, f"{quoted(value)}: {why}") for holds, why in reasons if holds]


def address_fields(spec: Object) -> list[FieldError]:
    """`clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` against each other."""
    if spec.get("type") == "ExternalName":
        return []
    path = "spec.clusterIPs"
    first, several = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    shown = orjson.dumps(several).decode()
    errors: list[FieldError] = []
    if first and not several:
        errors.append(FieldError("Required value", path))
    elif first and several[0] != first:
        errors.append(FieldError("Invalid value", path, f"{shown}: first value must match `clusterIP`"))
    elif several and not first:
        text = "must be empty when `clusterIP` is not specified"
        errors.append(FieldError("Invalid value", path, f"{shown}: {text}"))
    families = spec.get("ipFamilies") or []
    for i, family in enumerate(families):
        if family not in FAMILIES:
            errors.append(unsupported(f"spec.ipFamilies[{i}]", family, FAMILIES))
        if family in families[:i]:
            errors.append(FieldError("Duplicate value", f"spec.ipFamilies[{i}]", quoted(family)))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in POLICIES:
        errors.append(unsupported("spec.ipFamilyPolicy", policy, POLICIES))
    bad = _listed(path, several, shown)
    if len(several) > 2:
        bad.append(FieldError("Invalid value", path, f"{shown}: may only hold up to 2 values"))
    return errors + (bad or _kinds(path, several, families, shown))


def _listed(path: str, several: list[str], shown: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, address in enumerate(several):
        if i == 0 and address == "None":
            if len(several) > 1:
                text = "'None' must be the first and only value"
                errors.append(FieldError("Invalid value", path, f"{shown}: {text}"))
            continue
        errors += address_errors(f"{path}[{i}]", address)
    return errors


def _kinds(path: str, several: list[str], families: list[str], shown: str) -> list[FieldError]:
    """One address a family, each of the family that is listed for it."""
    if several == ["None"]:
        return []
    errors: list[FieldError] = []
    versions = [ip_address(address).version for address in several]
    if len(versions) > 1 and len(set(versions)) == 1:
        text = "may specify no more than one IP for each IP family"
        errors.append(FieldError("Invalid value", path, f"{shown}: {text}"))
    for i, (address, version, family) in enumerate(zip(several, versions, families, strict=False)):
        if family in FAMILIES and family != f"IPv{version}":
            text = f"{quoted(address)}: expected an {family} value as indicated by `ipFamilies[{i}]`"
            errors.append(FieldError("Invalid value", f"{path}[{i}]", text))
    return errors
