"""What an app says of a list: columns, filters, sorts, ready views, verbs. Frozen; nothing here asks the database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.actions import Actions
from core.actor import Actor
from core.rights import Right

Row = Mapping[str, Any]  # a plain row: `QuerySet.values()` of the listing's `fields`


def everybody(actor: Actor) -> bool:
    return True


@dataclass(frozen=True)
class Column:
    """`cell` makes text (escaped later) or safe HTML of a row. The first column of a list is its link.

    `css`: `number`, a width (`w-*` of table.css), a priority (`mid` goes under 78rem, `wide` under 96rem), and what a
    phone shows: `lead` beside the name, `second` on a line of its own. `optional`: shown only when chosen. `reads`: fields
    that only this cell needs, so that a table is joined only where it is looked at.
    """

    key: str
    label: str
    cell: Callable[[Row], str]
    css: str = ""
    sort: str = ""
    optional: bool = False
    shown: Callable[[Actor], bool] = everybody
    reads: Sequence[str] = ()


@dataclass(frozen=True)
class Filter:
    """One choice of a list. `where` gets a value that is among the options; another one finds nothing.

    `options` may ask the database once; `shown` says whether the choice is on the screen at all.
    """

    key: str
    label: str
    options: Callable[[Actor, Mapping[str, str]], Sequence[tuple[str, str]]]
    where: Callable[[str, Actor], Q]
    shown: Callable[[Actor, Mapping[str, str]], bool] = lambda actor, given: True


@dataclass(frozen=True)
class Sort:
    """A column to go by, whose (path, pk) an index serves; `path` empty: by pk alone, which is by time of making."""

    key: str
    path: str = ""
    newest_first: bool = False


@dataclass(frozen=True)
class ReadyView:
    """A tab that everybody has: a query under a name."""

    name: str
    query: Mapping[str, str]


@dataclass(frozen=True)
class Verb:
    """Something to do with the selected rows, by one POST of their ids to the listing's `bulk` address."""

    key: str
    label: str
    icon: str
    right: Right
    danger: bool = False


@dataclass(frozen=True)
class Step:
    """A line of a row's menu: a page to go to, or with `sends` a form that is sent at once.

    `verb`: which of the listing's `actions` says whether it is possible. `only`: absent, where it is not.
    """

    verb: str
    label: str
    icon: str
    to: Callable[[UUID], str]
    sends: Mapping[str, str] | None = None
    danger: bool = False
    only: bool = False


@dataclass(frozen=True)
class Peek:
    """What the side panel of a row has beside its facts: a template, and what fills it (a bounded number of queries)."""

    template: str
    fill: Callable[[HttpRequest, UUID], Mapping[str, Any]]


@dataclass(frozen=True)
class Empty:
    """What an empty list says: its title, and who can change that."""

    title: str
    may: str
    may_not: str


@dataclass(frozen=True)
class Listing:
    """A list. `rows` are scoped by `right` through `core.access`; `url` is its page's name, `detail` that of a row's.

    `fields` are what cells read, but for a column's own `reads`. `search`: says what `?q=` means. `live`: the kind in the
    event stream, if any.
    `reach`: which rows an actor sees, where one right does not say it.
    """

    name: str
    title: str
    noun: str
    section: str
    url: str
    detail: str
    right: Right
    rows: Callable[[], QuerySet[Any]]
    fields: Sequence[str]
    columns: Sequence[Column]
    sorts: Sequence[Sort]
    empty: Empty
    search: Callable[[str], Q] | None = None
    search_label: str = "Name"
    filters: Sequence[Filter] = ()
    views: Sequence[ReadyView] = ()
    verbs: Sequence[Verb] = ()
    bulk: str = ""
    exports: tuple[str, Sequence[tuple[str, str]]] | None = None  # page name; each format with its label
    can: Callable[[Row], str] | None = None  # which verbs a row is in the state for, by key, between blanks
    create: tuple[str, str, Right] | None = None  # page name, label, right
    live: str = ""
    follows: str = ""  # kinds of other rows that these are made of, as static/js/live.js hears of them
    actions: Actions = field(default_factory=dict)
    steps: Sequence[Step] = ()
    menu: str = ""  # page name of a row's menu (core.listing.menu)
    peek: Peek | None = None
    reach: Callable[[Actor, QuerySet[Any]], QuerySet[Any]] | None = None
    organization_path: str | None = None
    vdc_path: str | None = None
    row_name: str = "name"
    label: Callable[[Row], str] = field(default=lambda row: str(row["name"]))

    def column(self, key: str) -> Column | None:
        return next((column for column in self.columns if column.key == key), None)


def contains(*paths: str) -> Callable[[str], Q]:
    """`?q=` looks for the text anywhere in these columns."""

    def where(text: str) -> Q:
        found = Q()
        for path in paths:
            found |= Q(**{f"{path}__icontains": text})
        return found

    return where


def choices(key: str, label: str, options: Sequence[tuple[str, str]], path: str = "") -> Filter:
    """A fixed choice on one column."""
    return Filter(key, label, lambda actor, given: options, lambda value, actor: Q(**{path or key: value}))
