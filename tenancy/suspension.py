"""That a row is left alone by order of a system admin: since when, why, and by whom as far as one may know."""

from dataclasses import dataclass
from datetime import datetime

from clusters.models import Reconciled
from core import access
from core.actor import Actor
from core.models import AuditEntry, Outcome
from core.rights import Right


@dataclass(frozen=True)
class Suspension:
    who: str
    since: datetime
    why: str


def suspension_of(actor: Actor, row: Reconciled) -> Suspension | None:
    """Costs a statement where there is one. His name stays with those who may see the audit log there."""
    if row.suspended_at is None:
        return None
    about = AuditEntry.objects.filter(object_kind=row._meta.model_name or "", object_id=row.pk, action="row.suspend")
    entries = access.visible(actor, about.filter(outcome=Outcome.DONE).order_by("-pk"), Right.AUDIT_VIEW)
    names = list(entries.values_list("actor_name", flat=True)[:1])
    return Suspension(names[0] if names else "a system admin", row.suspended_at, row.suspended_because)
