"""A row of a table as HTML. In Python, since a page has hundreds of cells and a template costs ten times as much."""

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from core.listing.spec import Column, Listing, Row

NOTHING = "—"


def row_html(listing: Listing, columns: Sequence[Column], row: Row, *, pick: bool) -> SafeString:
    """`data-row` and `data-id` are how static/js/live.js finds it; `pick`: with a box to select it by."""
    pk, name = str(row["pk"]), escape(listing.label(row))
    parts = [f'<tr id="{listing.name}-{pk}" data-id="{pk}"']
    if listing.can and pick:
        parts.append(f' data-can="{listing.can(row)}"')
    parts.append(f' data-row="{listing.live}">' if listing.live else ">")
    if pick:
        parts.append(
            f'<td class="pick-cell"><label><input class="pick-row" type="checkbox" name="ids" value="{pk}" '
            f'aria-label="Select {name}"></label></td>'
        )
    head = columns[0]
    shown = _safe(head.cell(row))
    link = f'<a href="{_address(listing.detail).replace(_SAMPLE, pk)}">{shown}</a>' if listing.detail else shown
    parts.append(f'<th scope="row"{_css(head.css)}>{link}</th>')
    parts.extend(f"<td{_css(column.css)}>{_safe(column.cell(row))}</td>" for column in columns[1:])
    if listing.menu:
        parts.append(
            f'<td class="menu-cell"><a class="row-menu" href="{_address(listing.menu).replace(_SAMPLE, pk)}" '
            f'aria-label="Actions of {name}">⋯</a></td>'
        )
    parts.append("</tr>")
    return SafeString("".join(parts))  # every piece is escaped above


def options_html(options: Sequence[tuple[str, str]], chosen: str) -> SafeString:
    """The inside of a `select`: value and label, the chosen one marked."""
    parts = [
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(label)}</option>'
        for value, label in options
    ]
    return SafeString("".join(parts))


def link(url: str, pk: Any, text: str, query: str = "") -> SafeString:
    """A link to a row's page, cheaply: the address is reversed once."""
    return SafeString(f'<a href="{_address(url).replace(_SAMPLE, str(pk))}{escape(query)}">{escape(text)}</a>')


def bdi(text: str) -> SafeString:
    """A name, address or amount that keeps its direction."""
    return SafeString(f"<bdi>{escape(text)}</bdi>")


def _safe(text: str) -> str:
    """Escaped, unless a cell has made HTML of it. Django's own does the same at four times the price, lazy texts too."""
    return text if hasattr(text, "__html__") else escape(text)


_SAMPLE = "00000000-0000-7000-8000-000000000000"


@lru_cache(maxsize=64)
def _address(url: str) -> str:
    return reverse(url, args=[_SAMPLE])


@lru_cache(maxsize=256)
def _css(names: str) -> str:
    return f' class="{escape(names)}"' if names else ""
