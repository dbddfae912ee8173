"""Tags of every page: icons, phases, amounts, times. What is said in words stands here once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.quantities import of_gibibytes, of_mebibytes
from ovim_site.icons import ICONS

register = template.Library()
GAP = "\N{NO-BREAK SPACE}"

# phase → (icon, tone, word). Quiet tones have no fill: what is as it should be does not shout.
PHASES: Mapping[str, tuple[str, str, str]] = {
    "Pending": ("busy", "busy", "Waiting"),
    "Provisioning": ("busy", "busy", "Preparing"),
    "Starting": ("busy", "busy", "Starting"),
    "Active": ("ok", "quiet-ok", "Active"),
    "Running": ("running", "quiet-ok", "Running"),
    "Stopping": ("busy", "busy", "Stopping"),
    "Stopped": ("stopped", "quiet", "Stopped"),
    "Paused": ("paused", "warn", "Paused"),
    "Failed": ("failed", "bad", "Failed"),
    "Terminating": ("busy", "busy", "Deleting"),
    "Unknown": ("unknown", "warn", "Unknown"),
}


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A picture beside a word; alone it says nothing to a screen reader."""
    if name not in ICONS:
        raise template.TemplateSyntaxError(f"There is no icon {name!r} in ovim_site.icons.")
    address = static("vendor/icons.svg")
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>', extra, address, name)


@register.simple_tag
def phase(row: Any) -> SafeString:
    """Icon and word, colour last. A row that is to go shows so at once, before the cluster has heard of it."""
    name = "Terminating" if row.deletion_requested_at else row.phase
    picture, tone, word = PHASES.get(name, PHASES["Unknown"])
    share = percent(getattr(row, "progress", "")) if name == "Provisioning" else None
    if share is not None:
        word = f"Importing {share}{GAP}%"
    spin = "turns" if picture == "busy" else ""
    return format_html('<span class="phase {}">{}<span>{}</span></span>', tone, icon(picture, spin), word)


@register.filter
def percent(progress: str) -> int | None:
    """CDI's `42.10%` → 42; None for N/A and nothing."""
    try:
        return int(float(progress.removesuffix("%")))
    except ValueError:
        return None


@register.filter
def mib(value: int) -> str:
    return _spaced(of_mebibytes(value))


@register.filter
def gib(value: int) -> str:
    return _spaced(of_gibibytes(value))


@register.filter
def amount(value: int, resource: str) -> str:
    """A number of a quota's resource as people read it."""
    base = resource.partition("/")[0]
    if base == "memory_mib":
        return mib(value) if value % 1024 == 0 or abs(value) < 1024 else f"{value / 1024:,.1f}{GAP}GiB"
    return f"{value:,}{GAP}GiB" if base == "disk_gib" else f"{value:,}"


@register.filter
def number(value: int, resource: str) -> str:
    """The same without its unit, for a bar that names it once."""
    return f"{round(value / 1024, 2):,g}" if resource.partition("/")[0] == "memory_mib" else f"{value:,}"


@register.filter
def unit(resource: str) -> str:
    return f"{GAP}GiB" if resource.partition("/")[0] in ("memory_mib", "disk_gib") else ""


@register.filter
def resource(name: str) -> str:
    """What a quota's resource is called."""
    base, _, storage_class = name.partition("/")
    words = {"cpu": "vCPU", "memory_mib": "Memory", "disk_gib": "Disk", "vms": "VMs", "running_vms": "Running VMs"}
    return f"{words.get(base, base)} of class {storage_class}" if storage_class else words.get(base, base)


@register.filter
def age(moment: datetime | None) -> SafeString | str:
    """How long ago, up to a week; then the day. The exact time is one hover away."""
    if moment is None:
        return "—"
    seconds = max(int((timezone.now() - moment).total_seconds()), 0)
    steps = ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (7 * 86400, 86400, "d"))
    found = next((f"{seconds // unit}{GAP}{name}" for limit, unit, name in steps if seconds < limit), None)
    text = found or f"{moment:%d %b %Y}"
    exact = f"{moment:%Y-%m-%d %H:%M:%S} UTC"  # here, as format_html makes text of its values first
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, text)


@register.filter
def moment(value: datetime | str) -> datetime:
    """A time as JSON keeps it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


# (condition, status) → (icon, tone, sentence); what is not here is shown in the cluster's own words.
SENTENCES: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("Ready", "True"): ("ok", "ok", "It is as it should be."),
    ("Ready", "False"): ("info", "", "It is not ready."),
    ("DiskReady", "True"): ("ok", "ok", "Its disks are filled."),
    ("DiskReady", "False"): ("busy", "busy", "A disk is being filled."),
    ("ImportFailed", "True"): ("failed", "bad", "The disk's image could not be imported."),
    ("Scheduled", "True"): ("ok", "ok", "A node has room for it."),
    ("Scheduled", "False"): ("warning", "warn", "No node has room for it yet."),
    ("AgentConnected", "True"): ("ok", "ok", "The guest agent answers."),
    ("RestartRequired", "True"): ("refresh", "warn", "A change takes effect with the next restart."),
    ("PowerRefused", "True"): ("warning", "warn", "A power change made in the cluster was refused."),
    ("DiskLost", "True"): ("failed", "bad", "A disk is lost: the machine is held."),
    ("Drifted", "True"): ("warning", "warn", "Somebody changed it in the cluster itself."),
    ("Unproven", "True"): ("warning", "warn", "A volume is left that can’t be proven to be its own."),
}
# Said in a list, most urgent first.
TROUBLE = ("DiskLost", "Unproven", "ImportFailed", "Drifted", "PowerRefused", "RestartRequired")


@register.filter
def said(row: Any) -> list[dict[str, Any]]:
    """A row's conditions as sentences, each with its cause and since when."""
    found = []
    for item in row.conditions:
        known = SENTENCES.get((item["type"], item["status"]))
        picture, tone, text = known or ("info", "", f"{item['type']}: {item['status']}")
        if item["status"] == "False" and item["reason"] == "ImportFailed":
            continue  # the condition of that name says it
        since = moment(item["since"])
        said_ = {"icon": picture, "tone": tone, "text": text, "cause": item["message"], "since": since}
        found.append({"type": item["type"], **said_})
    return found


@register.filter
def why(row: Any) -> str:
    """What a list says of a row that is not as it should be; nothing of one that is."""
    told = {item["type"]: item for item in row.conditions}
    for name in TROUBLE:
        if told.get(name, {}).get("status") == "True":
            return str(told[name]["message"] or SENTENCES[name, "True"][2])
    if row.deletion_requested_at or percent(row.progress) is not None:
        return ""  # the phase says it
    if told.get("Ready", {}).get("status") == "False":
        return str(told["Ready"]["message"])
    return ""


DEEDS = {"vm.create": "made it", "vm.edit": "changed it", "vm.delete": "asked for it to be deleted"}


ORDERS = {
    "recreate-disk": "had a lost disk made anew",
    "repair": "had it repaired",
    "accept": "accepted a change made in the cluster",
    "forget-volume": "let go of a volume",
}


@register.filter
def deed(entry: Any) -> str:
    """An audit entry as what somebody did."""
    after = entry.after or {}
    if entry.action == "vm.power":
        where = f" in {after['changed_in']}" if after.get("changed_in") else ""
        return ("started it" if after.get("power_state") == "on" else "stopped it") + where
    if entry.action == "vm.order":
        return ORDERS.get(after.get("order", ""), "gave an order")
    return DEEDS.get(entry.action, str(entry.action))


def _spaced(quantity: str) -> str:
    return f"{quantity[:-2]}{GAP}{quantity[-2:]}B"
