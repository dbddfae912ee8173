"""Live objects of a VDC → its phase and conditions, and its use in the custom resource's words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from clusters.conditions import Outcome, false, true
from clusters.refs import Ref
from core import quantities
from tenancy.observe import Live, observe, status
from vdcs.facts import AccessFacts

__all__ = ["access", "observe", "status", "usage"]  # a VDC's objects are looked at as an organization's are


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


MOST_NAMED = 10


def access(facts: AccessFacts, wanted: Sequence[Ref], live: Live) -> Outcome:
    """Whether everybody who should has his access, and who can't have it."""
    counted = {"people": {role: len(set(names)) for role, names in sorted(facts.users.items()) if names}}
    found = []
    if facts.left_out:
        names = ", ".join(f"{name} ({why})" for name, why in facts.left_out[:MOST_NAMED])
        more = f" and {len(facts.left_out) - MOST_NAMED} more" if len(facts.left_out) > MOST_NAMED else ""
        found.append(true("PeopleLeftOut", "NoName", f"The cluster has no name for: {names}{more}."))
    if missing := [ref for ref in wanted if ref not in live]:
        names = ", ".join(str(ref) for ref in missing)
        return Outcome("Provisioning", (false("Ready", "Applying", f"Not there yet: {names}."), *found), fields=counted)
    if not facts.syncs:
        said = true("Ready", "SwitchedOff", "This cluster takes no access from OVIM: nobody is bound there.")
    else:
        said = true("Ready", "Applied", "Who has a role in OVIM has it in the cluster, too.")
    return Outcome("Active", (said, *found), settled=True, fields=counted)
