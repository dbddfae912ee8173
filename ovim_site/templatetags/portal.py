"""Tags of every page: icons, phases, amounts, times. The words themselves are in `core.ui` and the apps' `words`."""

from datetime import datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString

from core.ui import amounts, phases
from ovim_site import assets
from tenancy.words import deed as deed_of
from vms import words

register = template.Library()
register.simple_tag(phases.icon)
register.simple_tag(assets.stylesheets)
for _filter in (
    amounts.mib, amounts.gib, amounts.amount, amounts.number, amounts.unit, amounts.resource, amounts.age,
    phases.percent, words.said,
):  # fmt: skip
    register.filter(_filter)


@register.simple_tag
def phase(row: Any) -> SafeString:
    """Icon and word of a reconciled row."""
    progress = getattr(row, "progress", "")
    deleting, suspended = row.deletion_requested_at is not None, row.suspended_at is not None
    return phases.phase_mark(row.phase, deleting=deleting, progress=progress, suspended=suspended)


@register.filter
def why(row: Any) -> str:
    """What is to be said of a VM that is not as it should be."""
    deleting = row.deletion_requested_at is not None
    return words.why(row.conditions, deleting=deleting, progress=getattr(row, "progress", ""))


@register.filter
def moment(value: datetime | str) -> datetime:
    """A time as JSON keeps it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


@register.filter
def deed(entry: Any) -> str:
    """An audit entry as what somebody did."""
    return deed_of(entry.action, entry.after)
