"""Shapes of tenancy's resources: what goes in, what comes out. Rules are in the services."""

from django.db.models import Case, F, IntegerField, OuterRef, Subquery, TextField, Value, When
from django.db.models.functions import Coalesce, Now
from rest_framework import serializers

from clusters.api.suspension import SUSPENDED, SuspendedOut, suspended_first
from clusters.models import Phase, Placement
from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text, Whole
from core.models import Outcome
from core.names import dns_label
from core.rights import Right
from tenancy import invited
from tenancy.actions import (
    ACCESS_TOKEN,
    GROUP,
    INVITATION,
    MEMBERSHIP,
    ORGANIZATION,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    USER,
)
from tenancy.models import Organization, OrganizationLogo
from tenancy.models import username as username_rule

_WORST_FIRST = (Phase.FAILED, Phase.TERMINATING, Phase.UNKNOWN, Phase.PENDING, Phase.PROVISIONING)
_placements = Placement.objects.filter(owner_kind="organization", owner_id=OuterRef("pk")).order_by(
    Case(
        *(When(phase=phase, then=Value(rank)) for rank, phase in enumerate(_WORST_FIRST)),
        default=Value(len(_WORST_FIRST)),
        output_field=IntegerField(),
    )
)


class LoginIn(Shape):
    username = Text(max_length=150)
    password = Text(max_length=1024, style={"input_type": "password"})

    code = Text(
        max_length=32, allow_blank=True, default="", help_text="of the second factor, or a recovery code; if asked for"
    )


class RefreshIn(Shape):
    refresh = Text(max_length=4096)


class PasswordAsk(Shape):
    account = Text(max_length=254, help_text="user name or e-mail address")


class PasswordByLink(Shape):
    token = Text(max_length=100, help_text="of the link in the mail")
    new_password = Text(max_length=1024, write_only=True, style={"input_type": "password"})


class GrantOut(Shape):
    level = Text(help_text="system, organization, vdc or vm")
    organization = Id(allow_null=True)
    vdc = Id(allow_null=True)
    vm = Id(allow_null=True)
    own_only = Flag(help_text="of what has an owner, only the person's own")
    rights = serializers.ListField(child=Text())


class MeOut(Shape):
    """Who is signed in, and what he may do where."""

    id = Id()
    username = Text()
    organization = Id(allow_null=True)
    must_change_password = Flag(help_text="nothing else is possible before POST /api/v1/me/password")
    must_enrol_second_factor = Flag(help_text="nothing else is possible before: see /api/v1/me/second-factor")
    token = Id(allow_null=True, help_text="the access token that the request came with; null: a session's")
    previewed_by = Text(help_text="who really looks, in a preview as this person; else empty")
    rights = serializers.ListField(child=Text(), help_text="held at one place at least")
    grants = GrantOut(many=True)


class TokensOut(Shape):
    access = Text(help_text="goes into the Authorization header, as: Bearer <access>")
    refresh = Text(help_text="good for one refresh")
    expires_in = Whole(help_text="seconds until `access` is no longer good")
    user = MeOut()


class AuthInfoOut(Shape):
    methods = serializers.ListField(child=Text(), help_text="ways to sign in: password; device (RFC 8628)")
    password_reset = Flag(help_text="whether a new password can be asked for by mail")
    live_url = Text(allow_null=True, help_text="where GET /live/v1/stream is; null: at this address")


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


MUST_CHANGE = "the password is good for choosing another one only (POST /api/v1/me/password); roles are without effect"


class UserIn(Shape):
    username = Text(max_length=150, validators=[username_rule])
    password = Text(
        max_length=1024,
        write_only=True,
        allow_null=True,
        default=None,
        style={"input_type": "password"},
        help_text="left out: one is made up, told once in the answer, and has to be changed at the first sign-in",
    )
    must_change_password = Flag(default=False, help_text=MUST_CHANGE)
    organization = Id(allow_null=True, default=None, help_text="whose admins look after it; null: the provider's")
    email = serializers.EmailField(max_length=254, allow_blank=True, default="")
    full_name = Text(max_length=255, allow_blank=True, default="")


class UserEdit(Shape):
    email = serializers.EmailField(max_length=254, allow_blank=True, required=False)
    full_name = Text(max_length=255, allow_blank=True, required=False)
    enabled = Flag(required=False)
    password = Text(max_length=1024, write_only=True, required=False, style={"input_type": "password"})


class UserOut(Shape):
    id = Id()
    username = Text()
    organization = Id(source="organization_id", allow_null=True)
    email = Text()
    full_name = Text()
    enabled = Flag(source="is_active")
    must_change_password = Flag(help_text=MUST_CHANGE)
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(USER, Right.USER_VIEW)


class UserMade(UserOut):
    """A person whose password has just been set."""

    generated_password = Text(
        allow_null=True, help_text="told this once; null: it was given, or this answer is told again"
    )


class PasswordReset(Shape):
    password = Text(
        max_length=1024,
        write_only=True,
        allow_null=True,
        default=None,
        style={"input_type": "password"},
        help_text="left out: one is made up and told once in the answer",
    )
    must_change_password = Flag(default=True, help_text=MUST_CHANGE)


class PasswordChange(Shape):
    current_password = Text(max_length=1024, write_only=True, style={"input_type": "password"})
    new_password = Text(max_length=1024, write_only=True, style={"input_type": "password"})


class SessionOut(Shape):
    """A sign-in of one's own that has not ended."""

    id = Id()
    current = Flag(help_text="the one that this request came with")
    device = Text(help_text="as it said of itself: which browser, or the ovim command")
    user_agent = Text()
    address = Text(help_text="from which it signed in")
    created_at = Moment()
    seen_at = Moment(help_text="last use, to a minute")
    expires_at = Moment(help_text="however much it is used")
    ends_unused_at = Moment(allow_null=True, help_text="unless it is used before; null: at `expires_at` alone")


class SessionsOut(Shape):
    items = SessionOut(many=True)


class EndedOut(Shape):
    ended = Whole(help_text="so many sessions")


class CodeIn(Shape):
    code = Text(max_length=32, help_text="of the authenticator app; where it is lost, a recovery code")


class SecondFactorOut(Shape):
    enabled = Flag()
    demanded = Flag(help_text="by one's organization")
    since = Moment(allow_null=True)
    recovery_codes_left = Whole()


class SecondFactorBegun(Shape):
    secret = Text(help_text="for the authenticator app, in base32")
    uri = Text(help_text="the same as an otpauth: address, for a QR code")


class RecoveryCodes(Shape):
    recovery_codes = serializers.ListField(child=Text(), help_text="each is good once; told only now")


class TokenIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="what it is for; unique among its user's")
    days = Whole(default=90, min_value=1, max_value=366, help_text="after so many days it is no longer good")
    rights = serializers.ListField(
        child=Text(max_length=40),
        allow_null=True,
        default=None,
        max_length=100,
        help_text="at most these; null: all that its user has. At each use it is what the user has then",
    )
    vdcs = serializers.ListField(
        child=Id(), allow_null=True, default=None, max_length=100, help_text="only in these; null: everywhere"
    )
    service_account = Id(allow_null=True, default=None, help_text="whose it is to be; null: one's own")


class TokenOut(Shape):
    id = Id()
    name = Text()
    user = Id(source="user_id")
    username = Text(source="user.username")
    is_service = Flag(source="user.is_service")
    rights = serializers.ListField(child=Text(), allow_null=True)
    places = serializers.ListField(
        child=serializers.ListField(child=Id()), allow_null=True, help_text="[organization, VDC] each; null: everywhere"
    )
    created_at = Moment()
    expires_at = Moment()
    last_used_at = Moment(allow_null=True, help_text="to the minute; null: never yet")
    last_address = Text()
    allowed_actions = AllowedActions(ACCESS_TOKEN, Right.USER_VIEW)  # one sees more than one's own: `programs`


class TokenMade(TokenOut):
    """A token that has just been made."""

    token = Text(allow_null=True, help_text="the secret, told this once; null: this answer is told again")


class ServiceAccountIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="its user name becomes <name>@<organization>")
    organization = Id(allow_null=True, default=None, help_text="whose admins look after it; null: the provider's")
    full_name = Text(max_length=255, allow_blank=True, default="", help_text="what it is for")


class ServiceAccountEdit(Shape):
    full_name = Text(max_length=255, allow_blank=True, required=False)
    enabled = Flag(required=False)


class ServiceAccountOut(Shape):
    id = Id()
    username = Text()
    organization = Id(source="organization_id", allow_null=True)
    full_name = Text()
    enabled = Flag(source="is_active")
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(SERVICE_ACCOUNT, Right.USER_VIEW)


class RoleBindingIn(Shape):
    user = Id(allow_null=True, default=None, help_text="who gets the role; or else `group`")
    group = Id(allow_null=True, default=None)
    role = Text(max_length=63, help_text="system_admin, org_admin, vdc_admin, user, or one of the organization's own")
    organization = Id(allow_null=True, default=None)
    vdc = Id(allow_null=True, default=None, help_text="null: the whole organization")
    vm = Id(allow_null=True, default=None, help_text="that VM alone; where it is needs not be said")
    expires_at = Moment(allow_null=True, default=None, help_text="from then on without effect; null: no end")


class RoleBindingEdit(Shape):
    expires_at = Moment(allow_null=True, required=False, help_text="from then on without effect; null: no end")


class RoleBindingOut(Shape):
    # The reverse of vdcs' and vms' foreign keys: they stand above, their models can't be imported here.
    sql = {
        "role": Coalesce(F("custom__name"), F("role")),
        "vdc_name": Subquery(Organization.objects.filter(vdcs=OuterRef("vdc_id")).values("vdcs__name")[:1]),
        "vm_name": Subquery(Organization.objects.filter(vdcs__vms=OuterRef("vm_id")).values("vdcs__vms__name")[:1]),
    }
    id = Id()
    user = Id(source="user_id", allow_null=True)
    username = Text(source="user.username", allow_null=True)
    group = Id(source="group_id", allow_null=True)
    group_name = Text(source="group.name", allow_null=True)
    role = Text()
    custom_role = Id(source="custom_id", allow_null=True, help_text="null: the role is a built-in one")
    organization = Id(source="organization_id", allow_null=True)
    organization_name = Text(source="organization.name", allow_null=True)
    vdc = Id(source="vdc_id", allow_null=True)
    vdc_name = Text(allow_null=True)
    vm = Id(source="vm_id", allow_null=True)
    vm_name = Text(allow_null=True)
    expires_at = Moment(allow_null=True)
    by_provider = Id(
        source="by_provider_id", allow_null=True, help_text="made by a rule of this identity provider; null: by hand"
    )
    created_at = Moment()
    allowed_actions = AllowedActions(ROLE_BINDING, Right.BINDING_VIEW)


class RoleIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="never changes; not that of a built-in role")
    organization = Id()
    display_name = Text(max_length=255, allow_blank=True, default="")
    rights = serializers.ListField(child=Text(max_length=40), max_length=100, help_text="those that you have there")
    own_only = Flag(default=False, help_text="of what has an owner, only what is the person's own")


class RoleEdit(Shape):
    display_name = Text(max_length=255, allow_blank=True, required=False)
    rights = serializers.ListField(child=Text(max_length=40), max_length=100, required=False)
    own_only = Flag(required=False)


class RoleOut(Shape):
    id = Id()
    name = Text()
    organization = Id(source="organization_id")
    organization_name = Text(source="organization.name")
    display_name = Text()
    rights = serializers.ListField(child=Text())
    own_only = Flag()
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(ROLE, Right.BINDING_VIEW)


class GroupIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="never changes")
    organization = Id(allow_null=True, default=None, help_text="null: of the provider's people")
    display_name = Text(max_length=255, allow_blank=True, default="")
    external = Text(max_length=255, allow_blank=True, default="", help_text="what an identity provider calls it")


class GroupEdit(Shape):
    display_name = Text(max_length=255, allow_blank=True, required=False)
    external = Text(max_length=255, allow_blank=True, required=False)


class GroupOut(Shape):
    id = Id()
    name = Text()
    organization = Id(source="organization_id", allow_null=True)
    organization_name = Text(source="organization.name", allow_null=True)
    display_name = Text()
    external = Text()
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(GROUP, Right.BINDING_VIEW)


class MembershipIn(Shape):
    group = Id()
    user = Id()


class MembershipOut(Shape):
    id = Id()
    group = Id(source="group_id")
    group_name = Text(source="group.name")
    user = Id(source="user_id")
    username = Text(source="user.username")
    created_at = Moment()
    allowed_actions = AllowedActions(MEMBERSHIP, Right.BINDING_VIEW)


class ViaOut(Shape):
    """A role that gives it."""

    binding = Id()
    role = Text()
    role_name = Text(help_text="as people call it")
    group = Text(allow_null=True, help_text="by which group; null: given to the person himself")
    level = Text(help_text="system, organization, vdc or vm")
    organization = Id(allow_null=True)
    vdc = Id(allow_null=True)
    vm = Id(allow_null=True)
    own_only = Flag()
    expires_at = Moment(allow_null=True)


class GrantorsOut(Shape):
    people = serializers.ListField(child=Text(), help_text="user names, as far as you may see them")
    roles = serializers.ListField(child=Text(), help_text="what those are who could")


class ExplainOut(Shape):
    allowed = Flag()
    action = Text()
    right = Text()
    object = Text()
    object_name = Text()
    user = Id()
    username = Text()
    reason = Text(allow_null=True, help_text="why not")
    via = ViaOut(many=True)
    hidden = Whole(help_text="so many more roles give it that you may not see")
    who_could_grant = GrantorsOut()


class PreviewIn(Shape):
    user = Id(help_text="whose view")


class PreviewOut(Shape):
    user = Id()
    username = Text()
    until = Moment()


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
