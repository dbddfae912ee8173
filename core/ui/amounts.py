"""Amounts and times as people read them: the unit always, a no-break space before it."""

from datetime import datetime

from django.utils import timezone
from django.utils.safestring import SafeString

from core.quantities import of_gibibytes, of_mebibytes

GAP = "\N{NO-BREAK SPACE}"
_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (7 * 86400, 86400, "d"))


def mib(value: int) -> str:
    return _spaced(of_mebibytes(value))


def gib(value: int) -> str:
    return _spaced(of_gibibytes(value))


def amount(value: int, resource: str) -> str:
    """A number of a quota's resource as people read it."""
    base = resource.partition("/")[0]
    if base == "memory_mib":
        return mib(value) if value % 1024 == 0 or abs(value) < 1024 else f"{value / 1024:,.1f}{GAP}GiB"
    return f"{value:,}{GAP}GiB" if base == "disk_gib" else f"{value:,}"


def number(value: int, resource: str) -> str:
    """The same without its unit, for a bar that names it once."""
    return f"{round(value / 1024, 2):,g}" if resource.partition("/")[0] == "memory_mib" else f"{value:,}"


def unit(resource: str) -> str:
    return f"{GAP}GiB" if resource.partition("/")[0] in ("memory_mib", "disk_gib") else ""


def resource(name: str) -> str:
    """What a quota's resource is called."""
    base, _, storage_class = name.partition("/")
    words = {"cpu": "vCPU", "memory_mib": "Memory", "disk_gib": "Disk", "vms": "VMs", "running_vms": "Running VMs"}
    return f"{words.get(base, base)} of class {storage_class}" if storage_class else words.get(base, base)


def age(moment: datetime | None) -> SafeString | str:
    """How long ago, up to a week; then the day. The exact time, with its zone, is one hover away."""
    if moment is None:
        return "—"
    seconds = max(int((timezone.now() - moment).total_seconds()), 0)
    found = next((f"{seconds // unit}{GAP}{name}" for limit, unit, name in _STEPS if seconds < limit), None)
    here = timezone.localtime(moment)  # in the reader's zone: ovim_site.portal.zones
    text = found or f"{here:%d %b %Y}"
    # Every row of a list has one. Nothing in it comes from outside, so nothing is there to be escaped.
    return SafeString(f'<time datetime="{moment.isoformat()}" title="{here:%Y-%m-%d %H:%M:%S %Z}">{text}</time>')


def _spaced(quantity: str) -> str:
    return f"{quantity[:-2]}{GAP}{quantity[-2:]}B"
