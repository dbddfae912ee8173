"""What stands in one cell of a table: functions from a row to a short text for people."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cli.errors import amount

Row = Mapping[str, Any]
Cell = Callable[[Row], str]


def text(key: str) -> Cell:
    return lambda row: "" if row.get(key) is None else str(row[key])


def whole(key: str, resource: str = "") -> Cell:
    return lambda row: "" if row.get(key) is None else amount(resource or key, row[key])


def flag(key: str) -> Cell:
    return lambda row: "yes" if row.get(key) else "no"


def age(key: str) -> Cell:
    return lambda row: span(seconds_since(row[key])) if row.get(key) else ""


def seconds_since(moment: str) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def span(seconds: float) -> str:
    """One unit, as kubectl does: 42s, 7m, 3h, 12d."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def vm_phase(row: Row) -> str:
    """The phase; while the disk is being filled, how far that is."""
    phase, progress = str(row.get("phase", "")), str(row.get("progress") or "")
    return f"{phase} ({progress})" if progress.endswith("%") and phase in ("Pending", "Provisioning") else phase


def cluster_state(row: Row) -> str:
    """Whether it answers, and whether it takes new VDCs."""
    state = "lost" if row["failing_since"] else "reached" if row["seen_at"] else "not looked at"
    return state if row["schedulable"] else f"{state}, cordoned"


def addresses(row: Row) -> str:
    return ",".join(row.get("ip_addresses") or ())


def where(row: Row) -> str:
    """What a role binding reaches, by names."""
    path = "/".join(row.get(f"{level}_name") or row[level] for level in ("organization", "vdc", "vm") if row.get(level))
    level = next((name for name in ("vm", "vdc") if row.get(name)), "organization")
    return f"{level} {path}" if path else "system"


def used_of(resource: str) -> Cell:
    """Used of the limit, by the ledger that the limit binds."""

    def cell(row: Row) -> str:
        by_vdc = row.get("enforcement") == "active" and resource in ("cpu", "memory_mib")
        active = by_vdc or resource == "running_vms"
        used = (row.get("active" if active else "allocated") or {}).get(resource, 0)
        limit = (row.get("limits") or {}).get(resource)
        return f"{amount(resource, used)}/{'-' if limit is None else amount(resource, limit)}"

    return cell
