"""How rows and documents are shown: JSON laid out with secrets masked, and links from one row to another."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.audit import MASK

_SECRET_WORDS = (
    "password", "passwd", "token", "userdata", "user_data", "networkdata", "private_key", "privatekey", "credential",
    "secret",
)  # fmt: skip
_NAMES = ("secretref", "secretname", "secretkeyref", "secrets", "imagepullsecrets")  # they name one, they hold none
EMPTY = "–"


def masked(value: Any, *, everything: bool = False) -> Any:
    """A copy with every value masked whose key smells of a secret; of a Kubernetes Secret, all of its data."""
    if isinstance(value, Mapping):
        secret = value.get("kind") == "Secret"
        named = _smells(str(value.get("name", ""))) and "value" in value  # an environment variable
        return {
            key: masked(
                inner,
                everything=everything
                or _smells(str(key))
                or (secret and key in ("data", "stringData"))
                or (named and key == "value"),
            )
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(item, everything=everything) for item in value]
    return MASK if everything and value not in (None, "", True, False) else value


def _smells(key: str) -> bool:
    lower = key.lower()
    return lower not in _NAMES and any(word in lower for word in _SECRET_WORDS)


def document(value: Any) -> SafeString | str:
    if value in (None, {}, []):
        return EMPTY
    text = json.dumps(masked(value), indent=2, sort_keys=True, ensure_ascii=False, default=str)
    return format_html('<pre class="document" tabindex="0">{}</pre>', text)


def conditions(value: Iterable[Mapping[str, Any]]) -> SafeString | str:
    """A row's conditions, one line each: what the portal says, too."""
    lines = [
        format_html(
            "<li><b>{}={}</b> ({}) since {}<br>{}</li>",
            *(item.get(key, "") for key in ("type", "status", "reason", "since", "message")),
        )
        for item in value
    ]
    return format_html('<ul class="conditions">{}</ul>', SafeString("".join(lines))) if lines else EMPTY


def _registered() -> Mapping[type[Model], Any]:
    site: Any = admin.site
    found: Mapping[type[Model], Any] = site.models
    return found


def admin_of(kind: str) -> tuple[type[Model], Any] | None:
    """The admin page's model of a kind: by the engine's name, the ledger's or the model's own."""
    for model, model_admin in _registered().items():
        if kind == model._meta.model_name or kind in getattr(model_admin, "kinds", ()):
            return model, model_admin
    return None


def every_kind() -> list[str]:
    """All names that a column of kinds can hold, for searches by id through an index that begins with the kind."""
    found: set[str] = set()
    for model, model_admin in _registered().items():
        found |= {str(model._meta.model_name), *getattr(model_admin, "kinds", ())}
    return sorted(found)


def link(kind: str, pk: UUID | str | None, name: str = "") -> SafeString | str:
    """To the row's page; its kind and id where it has none."""
    if pk is None:
        return EMPTY
    text = f"{kind} {name or pk}"
    found = admin_of(kind)
    if found is None:
        return text
    meta = found[0]._meta
    return format_html(
        '<a href="{}">{}</a>', reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[pk]), text
    )


def listing(model: type[Model], query: object) -> str:
    """The address of a model's list, searched."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?q={query}"


def names(pairs: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], str]:
    """What rows are called, one query a kind. Rows that are gone are left out."""
    by_kind: dict[str, set[UUID]] = {}
    for kind, pk in pairs:
        by_kind.setdefault(kind, set()).add(pk)
    found: dict[tuple[str, UUID], str] = {}
    for kind, pks in by_kind.items():
        known = admin_of(kind)
        if known is not None:
            rows = known[0]._default_manager.filter(pk__in=pks).defer(*known[1].secret)
            found |= {(kind, row.pk): str(row) for row in rows}
    return found
