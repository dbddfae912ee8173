"""One page of a list, made of a request: what the address asks for, the rows, and the ways from here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.safestring import SafeString

from core import access
from core.actor import Actor
from core.ids import uuids_in
from core.listing import keyset, saved
from core.listing.cells import options_html, row_html
from core.listing.spec import Column, Listing, ReadyView, Sort, Verb

MOST_IDS = 50  # static/js/live.js asks for no more at once
LONGEST = 255
COUNTED = 1000  # past it a count says "1,000+": nobody needs the rest, and it would cost
POSITION = ("after", "before", "ids", "peek", "facet", "counts")


@dataclass(frozen=True)
class Tab:
    name: str
    href: str
    current: bool
    saved: UUID | None = None


class Page:
    """What templates/list.html shows. Everything is asked for lazily: a fragment of rows costs one statement."""

    def __init__(self, request: HttpRequest, listing: Listing, query: QueryDict | None = None) -> None:
        """`query`: what is asked for, if not by the address."""
        asked = request.GET if query is None else query
        self.listing = listing
        self.actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
        chosen = ",".join(asked.getlist("cols"))
        self.given = {name: str(asked[name])[:LONGEST] for name in asked if name not in ("cols", "ids")}
        if chosen:
            self.given["cols"] = chosen[:LONGEST]
        self.ids = uuids_in(str(asked["ids"]), MOST_IDS) if "ids" in asked else None
        self.url = reverse(listing.url)

    # --- what is asked for ---

    @cached_property
    def sort(self) -> tuple[Sort, bool]:
        """The sort and whether it descends. One that there is not: the list's own."""
        wanted = self.given.get("sort", "")
        known = {sort.key: sort for sort in self.listing.sorts}
        sort = known.get(wanted.removeprefix("-"))
        if sort is None:
            first = self.listing.sorts[0]
            return first, first.newest_first
        return sort, wanted.startswith("-")

    @cached_property
    def columns(self) -> list[Column]:
        chosen = [key for key in self.given.get("cols", "").split(",") if self.listing.column(key)]
        first = self.listing.columns[0]
        found = [c for c in self.listing.columns[1:] if c.shown(self.actor)]
        if chosen:
            return [first, *(column for column in found if column.key in chosen)]
        return [first, *(column for column in found if not column.optional)]

    @cached_property
    def _scoped(self) -> QuerySet[Any]:
        reach = self.listing.reach
        rows = self.listing.rows()
        return reach(self.actor, rows) if reach else access.visible(self.actor, rows, self.listing.right)

    @cached_property
    def filters(self) -> list[dict[str, Any]]:
        """Those on the screen, each with its options and what is chosen."""
        found = []
        for item in self.listing.filters:
            if item.shown(self.actor, self.given):
                value, options = self.given.get(item.key, ""), item.options(self.actor, self.given)
                found.append({
                    "key": item.key, "label": item.label, "value": value, "spec": item,
                    "known": any(key == value for key, _ in options), "options": options_html(options, value),
                })  # fmt: skip
        return found

    @cached_property
    def _where(self) -> Q | None:
        """All filters together; None: something is asked for that can't be meant, and finds nothing."""
        where = self._place()
        if where is None:
            return None
        for item in self.filters:
            value = item["value"]
            if value:
                if not item["known"]:
                    return None
                where &= item["spec"].where(value, self.actor)
        text = self.given.get("q", "").replace("\0", "").strip()
        return where & self.listing.search(text) if text and self.listing.search else where

    def _place(self) -> Q | None:
        """`?org=` and `?vdc=`, as the switcher writes them."""
        where = Q()
        for name, path in (("org", self.listing.organization_path), ("vdc", self.listing.vdc_path)):
            value = self.given.get(name, "")
            if value and path:
                ids = uuids_in(value, 1)
                if not ids:
                    return None
                where &= Q(**{path: ids[0]})
        return where

    @cached_property
    def narrowed(self) -> QuerySet[Any]:
        return self._scoped.none() if self._where is None else self._scoped.filter(self._where)

    # --- rows ---

    @cached_property
    def _cut(self) -> tuple[list[dict[str, Any]], bool]:
        if self.ids is not None:
            found = self._scoped.filter(pk__in=self.ids)
            return list(found.values("pk", *self._fields)), False
        sort, descending = self.sort
        backwards = "before" in self.given
        mark = self.given.get("before") if backwards else self.given.get("after")
        rows = self.narrowed.order_by(*keyset.order(sort, descending=descending, backwards=backwards))
        if mark:
            try:
                rows = rows.filter(keyset.beyond(rows.model, sort, mark, descending=descending, backwards=backwards))
            except keyset.Lost:
                return [], False
        return keyset.cut(rows.values("pk", *self._fields), backwards=backwards)

    @property
    def _fields(self) -> list[str]:
        own = [name for column in self.columns for name in column.reads]
        return list(dict.fromkeys([*self.listing.fields, *own, *filter(None, [self.sort[0].path])]))

    @cached_property
    def values(self) -> list[dict[str, Any]]:
        return self._cut[0]

    @cached_property
    def rows(self) -> SafeString:
        made = (row_html(self.listing, self.columns, row, pick=bool(self.verbs)) for row in self.values)
        return SafeString("\n".join(made))  # each of them is

    @property
    def count(self) -> int:
        return len(self.values)

    @cached_property
    def total(self) -> str:
        """How many match, counted no further than it pays."""
        first = not self.given.get("after") and not self.given.get("before")
        if first and not self._cut[1]:
            return f"{self.count}"
        found = self.narrowed.order_by().values("pk")[: COUNTED + 1].count()  # of a row nothing else
        return told(found)

    # --- the ways from here ---

    def link(self, **changes: str | None) -> str:
        """This list with some of the query changed; None takes a part away. Positions never survive a change."""
        kept = {name: value for name, value in self.given.items() if name not in POSITION}
        query = {name: value for name, value in (kept | changes).items() if value}
        return f"{self.url}?{urlencode(query, safe=',~')}" if query else self.url

    @cached_property
    def previous(self) -> str:
        more = self._cut[1] if "before" in self.given else bool(self.given.get("after"))
        return self.link(before=keyset.mark(self.sort[0], self.values[0])) if more and self.values else ""

    @cached_property
    def next(self) -> str:
        more = True if "before" in self.given else self._cut[1]
        return self.link(after=keyset.mark(self.sort[0], self.values[-1])) if more and self.values else ""

    @property
    def first(self) -> str:
        return self.link()

    @property
    def filtered(self) -> bool:
        return any(self.given.get(name) for name in ("q", *(item.key for item in self.listing.filters)))

    @property
    def emptied(self) -> bool:
        """No rows, though there may be some: by filters, a place, or a page past the end."""
        return self.filtered or any(self.given.get(name) for name in ("org", "vdc", "after", "before"))

    @property
    def place(self) -> list[tuple[str, str]]:
        """Kept as hidden fields by the filter form: everything that it does not ask for itself."""
        own = {"q", *POSITION, *(item["key"] for item in self.filters)}
        return [(name, value) for name, value in self.given.items() if name not in own and value]

    @property
    def heads(self) -> list[dict[str, str]]:
        sort, descending = self.sort
        found = []
        for column in self.columns:
            at = column.sort == sort.key if column.sort else False
            href = self.link(sort=f"{'' if descending else '-'}{column.sort}" if at else column.sort)
            found.append(
                {
                    "label": column.label,
                    "css": column.css,
                    "href": href if column.sort else "",
                    "aria": ("descending" if descending else "ascending") if at else "none",
                    "arrow": ("↓" if descending else "↑") if at else "",
                }
            )
        return found

    @property
    def choosable(self) -> list[dict[str, Any]]:
        """The columns one may have, for the form that chooses them."""
        now = {column.key for column in self.columns}
        every = [column for column in self.listing.columns[1:] if column.shown(self.actor)]
        return [{"key": c.key, "label": c.label, "on": c.key in now} for c in every]

    @cached_property
    def verbs(self) -> list[Verb]:
        return [verb for verb in self.listing.verbs if self.actor.holds(verb.right)]

    @property
    def searchable(self) -> bool:
        return self.listing.search is not None  # a template would call it

    @property
    def may_create(self) -> bool:
        return self.listing.create is not None and self.actor.holds(self.listing.create[2])

    @property
    def query(self) -> str:
        """The view as it is kept: without a position."""
        return _query(self.given)

    @property
    def exports(self) -> list[tuple[str, str]]:
        """(label, address) of each file that has all that is on the list, not only this page."""
        page, formats = self.listing.exports or ("", ())
        kept = {name: value for name, value in self.given.items() if name not in POSITION and value}
        return [(label, f"{reverse(page)}?{urlencode(kept | {'format': kind})}") for kind, label in formats]

    @cached_property
    def tabs(self) -> list[Tab]:
        """Everything, the ready views, one's own."""
        ready = [ReadyView("All", {}), *self.listing.views] if self.listing.views else [ReadyView("All", {})]
        here = {name: value for name, value in self.given.items() if name not in ("org", "vdc")}
        where = {name: self.given[name] for name in ("org", "vdc") if self.given.get(name)}
        found = [self._tab(view.name, view.query, where, here) for view in ready]
        for view in saved.of(self.actor, self.listing.name):
            query = view.as_dict()
            found.append(Tab(view.name, f"{self.url}?{view.query}", _query(query) == self.query, view.pk))
        return found

    def _tab(self, name: str, query: Mapping[str, str], where: Mapping[str, str], here: Mapping[str, str]) -> Tab:
        href = f"{self.url}?{urlencode({**where, **query})}" if where or query else self.url
        return Tab(name, href, _query(here) == _query(query))

    @property
    def savable(self) -> bool:
        """Something is asked for that no tab has yet."""
        return bool(self.query) and not any(tab.current for tab in self.tabs)


def told(count: int) -> str:
    """A number that was counted to one past COUNTED at most."""
    return f"{count:,}" if count <= COUNTED else f"{COUNTED:,}+"


def _query(given: Mapping[str, str]) -> str:
    return urlencode(sorted((name, value) for name, value in given.items() if value and name not in POSITION))


def selected(request: HttpRequest, most: int) -> Sequence[UUID]:
    """The ids that a bulk form sends."""
    return uuids_in(",".join(request.POST.getlist("ids")), most)
