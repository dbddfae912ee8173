"""What stands against an open invitation being accepted: its role or its VDC is gone, or the role is another one by now."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, Exists, F, Func, JSONField, OuterRef, Q, TextField, Value, When
from django.db.models.expressions import Expression
from django.db.models.fields.json import KT, KeyTransform
from django.db.models.lookups import Exact

from tenancy.models import Organization, Role

ROLE_GONE = Q(role="", custom=None)
_OPEN = Q(accepted_at=None, withdrawn_at=None)


def differs(as_sent: Mapping[str, Any] | None, role: Role) -> bool:
    """The role gives something else than when the invitation was sent."""
    was = as_sent or {}
    return (was.get("rights"), was.get("own_only")) != (role.rights, role.own_only)


def role_name() -> Expression:
    return Case(When(role="", then=KT("as_sent__name")), default=F("role"), output_field=TextField())


def trouble() -> Expression:
    """Why it could not be accepted, for those who can do something about it; null: it could."""
    vdcs = Organization.objects.filter(vdcs=OuterRef("vdc_id"), vdcs__deletion_requested_at=None)
    now = Func(F("custom__rights"), function="to_jsonb", output_field=JSONField())
    alone = Func(F("custom__own_only"), function="to_jsonb", output_field=JSONField())
    changed = Q(custom__isnull=False) & ~(
        Q(Exact(now, KeyTransform("rights", "as_sent"))) & Q(Exact(alone, KeyTransform("own_only", "as_sent")))
    )
    return Case(
        When(~_OPEN, then=Value(None)),
        When(ROLE_GONE, then=Value("Its role is gone: withdraw it, and invite anew.")),
        When(Q(vdc_id__isnull=False) & ~Exists(vdcs), then=Value("Its VDC is gone: withdraw it, and invite anew.")),
        When(changed, then=Value("Its role has been changed since: send it again.")),
        default=Value(None),
        output_field=TextField(),
    )
