"""What there is to look at: each noun's address, its columns as people read them, and the words it goes by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli.errors import amount

Row = Mapping[str, Any]
Cell = Callable[[Row], str]


@dataclass(frozen=True)
class Noun:
    """`columns` are always shown, `wide` also with -o wide. `full_name`: what finds the row again."""

    name: str
    path: str
    words: Sequence[str]
    columns: Mapping[str, Cell]
    wide: Mapping[str, Cell]
    full_name: Cell
    by_vdc: bool = False


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


def addresses(row: Row) -> str:
    return ",".join(row.get("ip_addresses") or ())


def used_of(resource: str) -> Cell:
    """Used of the limit, by the ledger that the limit binds."""

    def cell(row: Row) -> str:
        by_vdc = row.get("enforcement") == "active" and resource in ("cpu", "memory_mib")
        active = by_vdc or resource == "running_vms"
        used = (row.get("active" if active else "allocated") or {}).get(resource, 0)
        limit = (row.get("limits") or {}).get(resource)
        return f"{amount(resource, used)}/{'-' if limit is None else amount(resource, limit)}"

    return cell


ID: dict[str, Cell] = {"ID": text("id")}
NOUNS = {
    "vms": Noun(
        "vm",
        "vms",
        ("vm", "virtualmachine", "virtualmachines"),
        {
            "NAME": text("name"),
            "VDC": text("vdc_name"),
            "PHASE": vm_phase,
            "CPU": whole("cpu"),
            "MEMORY": whole("memory_mib"),
            "DISK": whole("disk_gib"),
            "ADDRESS": addresses,
            "AGE": age("created_at"),
        },
        {"OWNER": text("owner_name"), "POWER": text("power_state"), "NODE": text("node"), "GUEST": text("guest_os")}
        | ID,
        lambda row: f"{row['vdc_name']}/{row['name']}",
        by_vdc=True,
    ),
    "vdcs": Noun(
        "vdc",
        "vdcs",
        ("vdc", "virtualdatacenter", "virtualdatacenters"),
        {
            "NAME": text("name"),
            "ORGANIZATION": text("organization_name"),
            "PHASE": text("phase"),
            "VMS": used_of("vms"),
            "CPU": used_of("cpu"),
            "MEMORY": used_of("memory_mib"),
            "DISK": used_of("disk_gib"),
            "AGE": age("created_at"),
        },
        {"CLUSTER": text("cluster_name"), "NAMESPACE": text("namespace"), "BINDS": text("enforcement")} | ID,
        lambda row: f"{row['organization_name']}/{row['name']}",
    ),
    "organizations": Noun(
        "organization",
        "organizations",
        ("organization", "org", "orgs"),
        {
            "NAME": text("name"),
            "DISPLAY NAME": text("display_name"),
            "PHASE": text("phase"),
            "ENABLED": flag("enabled"),
            "AGE": age("created_at"),
        },
        ID,
        text("name"),
    ),
    "catalogs": Noun(
        "catalog",
        "catalogs",
        ("catalog", "cat"),
        {
            "NAME": text("name"),
            "DISPLAY NAME": text("display_name"),
            "ITEMS": text("item_count"),
            "SOURCE": text("source_type"),
            "ENABLED": flag("enabled"),
            "SYNCED": age("synced_at"),
        },
        {"ERRORS": lambda row: str(len(row.get("sync_errors") or ()))} | ID,
        text("name"),
    ),
    "items": Noun(
        "catalog item",
        "catalog-items",
        ("item", "catalog-item", "catalog-items"),
        {
            "NAME": text("name"),
            "CATALOG": text("catalog_name"),
            "TYPE": text("type"),
            "VERSION": text("version"),
            "OS": text("os_family"),
            "CPU": whole("cpu"),
            "MEMORY": whole("memory_mib"),
            "DISK": whole("disk_gib"),
        },
        {"MIN DISK": whole("min_disk_gib", "disk_gib"), "IMAGE": text("image_url")} | ID,
        lambda row: f"{row['catalog_name']}/{row['name']}",
    ),
}
BY_WORD = {word: noun for plural, noun in NOUNS.items() for word in (plural, *noun.words)}
