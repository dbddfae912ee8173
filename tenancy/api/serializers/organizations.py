"""Organizations and their audit logs, in and out."""

from django.db.models import Case, IntegerField, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce
from rest_framework import serializers

from clusters.api.suspension import SUSPENDED, SuspendedOut, suspended_first
from clusters.models import Phase, Placement
from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text, Whole
from core.models import Outcome
from core.names import dns_label
from core.rights import Right
from tenancy.actions import (
    ORGANIZATION,
)
from tenancy.models import OrganizationLogo

_WORST_FIRST = (Phase.FAILED, Phase.TERMINATING, Phase.UNKNOWN, Phase.PENDING, Phase.PROVISIONING)


_placements = Placement.objects.filter(owner_kind="organization", owner_id=OuterRef("pk")).order_by(
    Case(
        *(When(phase=phase, then=Value(rank)) for rank, phase in enumerate(_WORST_FIRST)),
        default=Value(len(_WORST_FIRST)),
        output_field=IntegerField(),
    )
)


class OrganizationIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="also its namespace's name; never changes")
    display_name = Text(max_length=255)
    description = Text(max_length=1000, allow_blank=True, default="")


ACCENT = "#rrggbb, with a contrast of 4.5 or more on the surfaces of its theme; empty: the portal's own"


class OrganizationEdit(Shape):
    display_name = Text(max_length=255, required=False)
    description = Text(max_length=1000, allow_blank=True, required=False)
    enabled = Flag(required=False, help_text="false: its people can do nothing; what runs goes on running")
    second_factor_required = Flag(
        required=False, help_text="of its people; without one no role of theirs has any effect"
    )
    technical_contact_name = Text(max_length=255, allow_blank=True, required=False)
    technical_contact_email = serializers.EmailField(max_length=254, allow_blank=True, required=False)
    billing_contact_name = Text(max_length=255, allow_blank=True, required=False)
    billing_contact_email = serializers.EmailField(max_length=254, allow_blank=True, required=False)
    accent_light = Text(max_length=7, allow_blank=True, required=False, help_text=ACCENT)
    accent_dark = Text(max_length=7, allow_blank=True, required=False, help_text=ACCENT)


class OrganizationDisable(Shape):
    vms = serializers.ChoiceField(
        choices=["keep", "stop"], default="keep", help_text="what becomes of what runs: it goes on, or is stopped"
    )


class LogoIn(Shape):
    picture = Text(
        max_length=400_000, help_text="a PNG, JPEG or WebP of 256 KiB and 1024 × 1024 points at most, in base64"
    )


class OrganizationOut(Shape):
    sql = {
        "phase": Coalesce(Subquery(_placements.values("phase")[:1]), Value(Phase.PENDING)),
        "conditions": Subquery(_placements.values("conditions")[:1]),
        "suspended": suspended_first(_placements),
        "logo": Subquery(OrganizationLogo.objects.filter(organization=OuterRef("pk")).values("digest")[:1]),
    }
    id = Id()
    name = Text()
    display_name = Text()
    description = Text()
    enabled = Flag()
    second_factor_required = Flag()
    technical_contact_name = Text()
    technical_contact_email = Text()
    billing_contact_name = Text()
    billing_contact_email = Text()
    accent_light = Text()
    accent_dark = Text()
    logo = Text(
        allow_null=True, help_text="SHA-256 of its bytes, which are at /branding/<name>/logo; null: it has none"
    )
    phase = serializers.ChoiceField(choices=Phase.choices, help_text="of its worst placement")
    conditions = serializers.ListField(child=serializers.DictField(), allow_null=True)
    generation = Whole()
    deletion_due_at = Moment(
        allow_null=True, help_text="from then on it goes, with all that is in it; undone until then"
    )
    deletion_requested_at = Moment(allow_null=True)
    suspended = SuspendedOut(allow_null=True, help_text=SUSPENDED)
    created_at = Moment()
    allowed_actions = AllowedActions(ORGANIZATION, Right.ORGANIZATION_VIEW)


class AuditEntryOut(Shape):
    id = Id()
    at = Moment()
    actor = Id(source="actor_id", allow_null=True)
    actor_name = Text()
    session = Id(source="session_id", allow_null=True)
    address = Text()
    request_id = Text()
    action = Text()
    object_kind = Text()
    object_id = Id(allow_null=True)
    object_name = Text()
    organization = Id(source="organization_id", allow_null=True)
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    reason = Text()
    duration_ms = Whole(allow_null=True, help_text="from the request's arrival to this entry; null: not known")
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)


class RetentionIn(Shape):
    days = Whole(
        max_value=36_500, allow_null=True, help_text="0: for ever, else 30 or more; null: as the installation has it"
    )


class RetentionOut(Shape):
    days = Whole(allow_null=True, help_text="the organization's own policy; null: it has none")
    kept_days = Whole(help_text="what holds: its own policy, else the installation's; 0: for ever")
