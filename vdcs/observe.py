"""Live objects of a VDC → its phase and conditions, and its use in the custom resource's words. Pure."""

from collections.abc import Mapping
from typing import Any

from core import quantities
from tenancy.observe import observe, status

__all__ = ["observe", "status", "usage"]  # a VDC's objects are looked at as an organization's are


def usage(allocated: Mapping[str, int], limits: Mapping[str, int]) -> dict[str, Any]:
    """Use in the custom resource's words, with percentages where there is a limit."""
    cpu, memory, disk = (int(allocated.get(name, 0)) for name in ("cpu", "memory_mib", "disk_gib"))
    found: dict[str, Any] = {
        "cpuUsed": str(cpu),
        "memoryUsed": quantities.of_mebibytes(memory),
        "storageUsed": quantities.of_gibibytes(disk),
    }
    for name, field, value in (
        ("cpu", "cpuPercentage", cpu),
        ("memory_mib", "memoryPercentage", memory),
        ("disk_gib", "storagePercentage", disk),
    ):
        if limits.get(name):
            found[field] = min(value * 100 // limits[name], 100)
    return found
