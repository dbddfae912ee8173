"""Invitations and how people come, in and out."""

from django.db.models import Case, OuterRef, Subquery, TextField, Value, When
from django.db.models.functions import Now
from rest_framework import serializers

from core.api.fields import AllowedActions, Id, Moment, Shape, Text, Whole
from core.rights import Right
from tenancy import invited
from tenancy.actions import (
    INVITATION,
)
from tenancy.models import Organization
from tenancy.models import username as username_rule


class InvitationIn(Shape):
    organization = Id()
    email = serializers.EmailField(max_length=254)
    role = Text(max_length=63, help_text="org_admin, vdc_admin, user, or one of the organization's own")
    vdc = Id(allow_null=True, default=None, help_text="null: the whole organization")
    days = Whole(default=7, min_value=1, max_value=30, help_text="for which it can be accepted")


class InvitationAgain(Shape):
    days = Whole(default=7, min_value=1, max_value=30, help_text="for which it can be accepted, from now on")


class InvitationOut(Shape):
    sql = {
        "state": Case(
            When(accepted_at__isnull=False, then=Value("accepted")),
            When(withdrawn_at__isnull=False, then=Value("withdrawn")),
            When(expires_at__lte=Now(), then=Value("expired")),
            default=Value("open"),
            output_field=TextField(),
        ),
        "role": invited.role_name(),
        "trouble": invited.trouble(),
        "vdc_name": Subquery(Organization.objects.filter(vdcs=OuterRef("vdc_id")).values("vdcs__name")[:1]),
    }
    id = Id()
    email = Text()
    organization = Id(source="organization_id")
    organization_name = Text(source="organization.name")
    role = Text()
    custom_role = Id(source="custom_id", allow_null=True, help_text="null: the role is a built-in one, or gone")
    vdc = Id(source="vdc_id", allow_null=True)
    vdc_name = Text(allow_null=True)
    trouble = Text(allow_null=True, help_text="why it could not be accepted though it is open; null: it could")
    state = serializers.ChoiceField(choices=["open", "expired", "accepted", "withdrawn"])
    inviter = Text(source="inviter_name")
    sent_at = Moment()
    expires_at = Moment()
    accepted_at = Moment(allow_null=True)
    accepted_by = Id(source="accepted_by_id", allow_null=True)
    withdrawn_at = Moment(allow_null=True)
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(INVITATION, Right.USER_VIEW)


class InvitationMade(InvitationOut):
    """An invitation that has just been sent."""

    link = Text(
        allow_null=True,
        help_text="to be passed on, told this once, where no mail is sent; null: a mail brings it, or this is told again",
    )


class LinkIn(Shape):
    token = Text(max_length=100, help_text="of the link")


class InvitationSeen(Shape):
    """What an invitation says to who holds its link."""

    organization = Text()
    display_name = Text(help_text="of the organization")
    email = Text()
    role = Text()
    role_name = Text(help_text="as people call it")
    vdc = Text(allow_null=True, help_text="its name; null: the whole organization")
    inviter = Text()
    expires_at = Moment()


class InvitationAccept(LinkIn):
    username = Text(max_length=150, validators=[username_rule])
    full_name = Text(max_length=255, allow_blank=True, default="")
    password = Text(max_length=1024, write_only=True, style={"input_type": "password"})


class Joined(Shape):
    id = Id()
    username = Text()
