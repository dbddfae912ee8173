"""The timeline as a part of an object's page: which entries, which filters. Works by links alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest

from core.ids import uuids_in
from tenancy.story import Words
from tenancy.timeline import Entry, Source, Wish, timeline

SHOWN = 40
_WAYS: Mapping[str, str] = {
    "": "All",
    Source.PERSON: "People",
    Source.SYSTEM: "OVIM",
    Source.CLUSTER: "Cluster",
    "errors": "Errors",
}


@dataclass(frozen=True)
class Way:
    """A filter, as a link."""

    word: str
    query: str
    on: bool


@dataclass(frozen=True)
class Story:
    """What the part shows. `query`: of this very page, for fetching it anew; `older`: of the next one."""

    entries: list[Entry]
    ways: list[Way]
    narrowed: bool
    query: str
    older: str


def story_of(request: HttpRequest, row: Model, words: Words) -> Story:
    """What cannot be meant shows everything: a page's query is no API."""
    told = request.GET.get("told", "")
    told = told if told in _WAYS else ""
    after = next(iter(uuids_in(request.GET.get("told_before", ""), 1)), None)
    source = Source(told) if told in set(Source) else None
    wish = Wish(source, told == "errors", after, SHOWN)
    actor: Any = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    entries, more = timeline(actor, row, wish, words)
    ways = [Way(word, _query(name), name == told) for name, word in _WAYS.items()]
    return Story(entries, ways, bool(told), _query(told, after), _query(told, more) if more else "")


def _query(told: str, before: UUID | None = None) -> str:
    return urlencode({**({"told": told} if told else {}), **({"told_before": before} if before else {})})
