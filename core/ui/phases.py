"""Phases as icon and word, colour last; the words of every screen."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.ui.amounts import GAP, age
from core.ui.icons import ICONS

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


@lru_cache(maxsize=512)
def icon(name: str, extra: str = "") -> SafeString:
    """A picture beside a word; alone it says nothing to a screen reader. KeyError: there is none of that name."""
    if name not in ICONS:
        raise KeyError(f"There is no icon {name!r} in core.ui.icons.")
    address = static("vendor/icons.svg")
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>', extra, address, name)


def phase_mark(
    phase: str,
    *,
    deleting: bool = False,
    progress: str = "",
    suspended: bool = False,
    lost: datetime | None = None,
) -> SafeString:
    """`deleting`: a row that is to go shows so at once. `progress`: of an import, as CDI says it.

    `suspended`: nobody reconciles it, so the phase is what was seen last; that stands beside it. `lost`: since when its
    cluster does not answer, which is another reason for the same.
    """
    name = "Terminating" if deleting else phase
    mark = _mark(name, percent(progress) if name == "Provisioning" else None)
    mark = mark + _suspended() if suspended else mark
    return (
        mark + format_html(" {}", chip("bad", format_html("Cluster lost {}", age(lost)), "warning")) if lost else mark
    )


@lru_cache(maxsize=1024)
def _mark(name: str, share: int | None) -> SafeString:
    picture, tone, word = PHASES.get(name, PHASES["Unknown"])
    if share is not None:
        word = f"Importing {share}{GAP}%"
    spin = "turns" if picture == "busy" else ""
    return format_html('<span class="phase {}">{}<span>{}</span></span>', tone, icon(picture, spin), word)


@lru_cache(maxsize=1)
def _suspended() -> SafeString:
    return format_html(" {}", chip("warn", "Suspended", "paused"))


def chip(tone: str, word: str, picture: str = "") -> SafeString:
    """A small mark beside something: a tone of parts.css, a word, and an icon if it says more than the word."""
    return format_html('<span class="chip {}">{}{}</span>', tone, icon(picture) if picture else "", word)


def percent(progress: str) -> int | None:
    """CDI's `42.10%` → 42; None for N/A and nothing."""
    try:
        return int(float(progress.removesuffix("%")))
    except ValueError:
        return None
