"""What can be done with one row of a list: its menu, fetched when it is opened, and its side panel (`?peek=`).

Which verbs there are and why one is impossible, `core.actions` says in the statement that reads the row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from core import access
from core.actions import own_rows, reason, standing
from core.actor import Actor
from core.enforce import needs
from core.errors import NotFound
from core.listing.spec import Listing, Step
from core.ui.ways import came_from

_CAN = "ovim_can_"  # before a verb's name, so that it is no field's


@dataclass(frozen=True)
class Line:
    """A verb of the menu. `why`: it is impossible now, and why."""

    step: Step
    address: str
    why: str | None


@dataclass(frozen=True)
class Opened:
    """A row as its menu and its panel know it; `facts` are the list's own columns, all of them."""

    pk: UUID
    name: str
    lines: list[Line]
    facts: list[tuple[str, str]]


def opened(actor: Actor, listing: Listing, pk: UUID) -> Opened:
    """One statement. NotFound: there is no such row, or one may not see it."""
    held = standing(actor, listing.rows().model, listing.actions, listing.right)
    own = own_rows(actor, listing.rows().model, listing.actions)
    reasons = {
        f"{_CAN}{verb}": reason(action, holds, own)
        for (verb, action), holds in zip(listing.actions.items(), held, strict=True)
    }
    columns = [column for column in listing.columns if column.shown(actor)]
    fields = dict.fromkeys([*listing.fields, *(name for column in columns for name in column.reads)])
    found = scoped(actor, listing).filter(pk=pk).annotate(**reasons).values("pk", *fields, *reasons).first()
    if found is None:
        raise NotFound(f"No such {listing.noun}.")
    facts = [(column.label, column.cell(found)) for column in columns[1:]]
    return Opened(pk, listing.label(found), _lines(listing, found), [fact for fact in facts if fact[1]])


def scoped(actor: Actor, listing: Listing) -> Any:
    rows = listing.rows()
    return listing.reach(actor, rows) if listing.reach else access.visible(actor, rows, listing.right)


def _lines(listing: Listing, row: Mapping[str, Any]) -> list[Line]:
    """A verb without the right is absent; one that is impossible in this state says why."""
    found = []
    for step in listing.steps:
        why = row[f"{_CAN}{step.verb}"]
        if why == listing.actions[step.verb].lacking() or (why and step.only):
            continue
        found.append(Line(step, step.to(row["pk"]), why))
    return found


def menu_of(listing: Listing) -> Callable[..., HttpResponse]:
    """The page of a row's menu, to be declared in an app's urls. With HX-Request only its lines."""

    @needs(listing.right)
    @require_safe
    def row_menu(request: HttpRequest, pk: UUID) -> HttpResponse:
        row = opened(request.actor, listing, pk)  # type: ignore[attr-defined]  # set by SignedIn
        page = {"section": listing.section, "listing": listing, "row": row, "next": came_from(request)}
        answer = render(request, f"menu.html{'#lines' if request.headers.get('HX-Request') else ''}", page)
        patch_vary_headers(answer, ["HX-Request", "Referer"])
        answer["Cache-Control"] = "no-store"  # it has a token, and is true for this moment only
        return answer

    return row_menu


def panel(request: HttpRequest, listing: Listing, pk: UUID) -> dict[str, Any]:
    """What templates/parts/peek.html shows of a row."""
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    found: dict[str, Any] = {"row": opened(actor, listing, pk), "listing": listing}
    if listing.peek is not None:
        found |= {"part": listing.peek.template, **listing.peek.fill(request, pk)}
    return found
