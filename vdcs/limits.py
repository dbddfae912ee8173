"""What limits may look like: resources of the ledger, disks also by storage class, whole numbers in OVIM's units."""

import re
from collections.abc import Mapping
from typing import Any

from core import quantities
from core.errors import FieldError, Invalid

RESOURCES = ("cpu", "memory_mib", "disk_gib", "vms", "running_vms")
MOST = 2**40
_CLASS = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
_QUANTITIES = {"memory_mib": quantities.mebibytes, "disk_gib": quantities.gibibytes, "cpu": quantities.cores}


def checked(limits: Mapping[str, Any], field: str = "limits") -> dict[str, int]:
    """The limits as integers, or Invalid naming every entry that is none."""
    found: dict[str, int] = {}
    errors: list[FieldError] = []
    for name, value in limits.items():
        path = f"{field}.{name}"
        base, _, storage_class = str(name).partition("/")
        if base not in RESOURCES or ("/" in name and (base != "disk_gib" or not _CLASS.match(storage_class))):
            known = f"{', '.join(RESOURCES)}, disk_gib/<storage class>"
            errors.append(
                FieldError(path, "unknown_resource", f"{str(name)[:80]!r} is no resource. There are: {known}.")
            )
            continue
        try:
            found[name] = _number(base, value)
        except ValueError as error:
            errors.append(FieldError(path, "quantity", str(error)))
    if errors:
        raise Invalid(errors[0].message, errors=errors)
    return found


def _number(resource: str, value: Any) -> int:
    if isinstance(value, str) and resource in _QUANTITIES:
        value = _QUANTITIES[resource](value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise ValueError(f"{resource} must be a whole number from 0 to {MOST}, or a quantity such as 8Gi.")
    return value
