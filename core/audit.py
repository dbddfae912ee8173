"""Writing the audit log: in the transaction of the act itself, so that neither exists without the other."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model

from core import access, trial
from core.actor import Actor
from core.errors import Previewing
from core.models import AuditEntry, Outcome

MASK = "•••"
_SECRET_WORDS = ("password", "secret", "token", "user_data", "credential", "private_key")


_began: ContextVar[float | None] = ContextVar("request began", default=None)


@contextmanager
def request() -> Iterator[None]:
    """What is audited inside tells how long after the request's arrival it was written (`duration_ms`)."""
    token = _began.set(time.monotonic())
    try:
        yield
    finally:
        _began.reset(token)


def masked(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A copy with every value whose name smells of a secret replaced. None stays None."""
    if values is None:
        return None
    return {key: MASK if _secret(key, value) else _inside(value) for key, value in values.items()}


def _secret(key: str, value: Any) -> bool:
    return value not in (None, "") and any(word in key.lower() for word in _SECRET_WORDS)


def _inside(value: Any) -> Any:
    """What has names in it, however deep in lists, is masked by those."""
    if isinstance(value, Mapping):
        return masked(value)
    return [_inside(item) for item in value] if isinstance(value, list | tuple) else value


def record(
    actor: Actor,
    action: str,
    row: Model | None,
    *,
    organization_id: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Say that `actor` did `action` to `row`, or to nothing that is a row. Call it inside the act's transaction."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("audit.record belongs inside the transaction of the act it tells of")
    if actor.previewed_by:  # the doors refuse it before; whatever they missed ends here, and is rolled back
        raise Previewing(actor.name)
    organization_id = organization_id or getattr(row, "organization_id", None)
    trial.audited(organization_id)
    AuditEntry.objects.create(
        **_who(actor),
        **_what(row),
        action=action,
        organization_id=organization_id,
        before=masked(before),
        after=masked(after),
    )


def refused(actor: Actor, action: str, reason: str, *, failed: bool = False, row: Model | None = None) -> None:
    """Record a refusal, in a transaction of its own: the one it belongs to has been rolled back.

    `row`: what it was about, if the actor sees it. Its organization's admins see the entry, too.
    """
    organization = next(iter(actor.organizations)) if len(actor.organizations) == 1 else None
    AuditEntry.objects.create(
        **_who(actor),
        **_what(row),
        action=action[:64],
        outcome=Outcome.FAILED if failed else Outcome.REFUSED,
        reason=reason,
        organization_id=organization if row is None else access.tenant_of(row),
    )


def _what(row: Model | None) -> dict[str, Any]:
    if row is None:
        return {}
    return {"object_kind": row._meta.model_name or "", "object_id": row.pk, "object_name": str(row)[:255]}


def _who(actor: Actor) -> dict[str, Any]:
    began = _began.get()
    actor = actor.in_person()
    return {
        "actor_id": actor.user_id,
        "actor_name": actor.name,
        "session_id": actor.session_id,
        "address": actor.address,
        "request_id": actor.request_id,
        "duration_ms": None if began is None else round((time.monotonic() - began) * 1000),
    }
