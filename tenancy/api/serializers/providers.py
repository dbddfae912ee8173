"""Shapes of identity providers: what goes in, what comes out. Rules are in the services."""

from django.db.models import BooleanField, Case, F, JSONField, OuterRef, Subquery, Value, When
from rest_framework import serializers

from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text, Whole
from core.names import dns_label
from core.rights import Right
from tenancy.actions import IDENTITY_PROVIDER
from tenancy.oidc import idle
from tenancy.oidc.rows import GroupRule, Match, claim_path, domain

WRITTEN = "write-only; empty: a public client"
DOMAINS = "whoever gives such an address at sign-in is led here; set by system admins only"
FACTORS = "values of amr or acr that say that a second factor was given"


class RuleIn(Shape):
    claim = Text(max_length=128, allow_blank=True, default="", help_text="dotted; empty: the provider's groups_claim")
    match = serializers.ChoiceField(choices=Match.choices, default=Match.EXACT)
    value = Text(max_length=255)
    role = Text(max_length=63, help_text="system_admin, org_admin, vdc_admin, user, or one of the organization's own")
    organization = Id(allow_null=True, default=None, help_text="null: the provider's own")
    vdc = Id(allow_null=True, default=None, help_text="null: the whole organization")
    gives_nothing = Text(read_only=True, help_text="so that rules that were read can be sent back")


class RuleOut(Shape):
    claim = Text()
    match = serializers.ChoiceField(choices=Match.choices)
    value = Text()
    role = Text()
    organization = Id(allow_null=True)
    vdc = Id(allow_null=True)
    gives_nothing = Text(allow_null=True, help_text="why: its role or its VDC is gone; null: it gives its role")


class _RuleRows(Subquery):
    template = (
        "coalesce((SELECT json_agg(row_to_json(d)) FROM "
        "(%(subquery)s) d(claim, match, value, role, organization, vdc, gives_nothing)), '[]'::json)"
    )
    output_field = JSONField()


_rules = (
    GroupRule.objects.filter(provider_id=OuterRef("pk"))
    .order_by("position")
    .annotate(called=Case(When(role="", then=F("custom_name")), default=F("role")), why=idle.why())
    .values_list("claim", "match", "value", "called", "organization_id", "vdc_id", "why")
)


def _claim(default: str) -> Text:
    return Text(max_length=128, validators=[claim_path], default=default, help_text="dotted: realm_access.roles")


class ProviderIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="part of its redirect address; never changes")
    organization = Id(allow_null=True, default=None, help_text="whose people sign in with it; null: everybody")
    display_name = Text(max_length=255, allow_blank=True, default="", help_text="default: the name")
    issuer = Text(max_length=512, help_text="exactly as its tokens say it; never changes")
    client_id = Text(max_length=255)
    client_secret = Text(max_length=1024, allow_blank=True, default="", write_only=True, help_text=WRITTEN)
    scopes = Text(max_length=255, default="openid profile email")
    email_domains = serializers.ListField(
        child=Text(max_length=253, validators=[domain]), default=list, max_length=50, help_text=DOMAINS
    )
    enabled = Flag(default=True)
    creates_users = Flag(default=True, help_text="whoever comes for the first time gets an account")
    username_claim = _claim("preferred_username")
    email_claim = _claim("email")
    name_claim = _claim("name")
    groups_claim = _claim("groups")
    multi_factor = serializers.ListField(
        child=Text(max_length=255), default=lambda: ["mfa"], max_length=50, help_text=FACTORS
    )
    rules = RuleIn(many=True, default=list, help_text="groups → roles, in this order")


def _changed(**kwargs: object) -> Text:
    return Text(**{"required": False, "max_length": 255} | kwargs)


class ProviderEdit(Shape):
    display_name = _changed()
    client_id = _changed()
    client_secret = _changed(max_length=1024, allow_blank=True, write_only=True, help_text=WRITTEN)
    scopes = _changed()
    email_domains = serializers.ListField(
        child=Text(max_length=253, validators=[domain]), required=False, max_length=50, help_text=DOMAINS
    )
    enabled = Flag(required=False)
    creates_users = Flag(required=False)
    username_claim = _changed(max_length=128, validators=[claim_path])
    email_claim = _changed(max_length=128, validators=[claim_path])
    name_claim = _changed(max_length=128, validators=[claim_path])
    groups_claim = _changed(max_length=128, validators=[claim_path])
    multi_factor = serializers.ListField(child=Text(max_length=255), required=False, max_length=50, help_text=FACTORS)
    rules = RuleIn(many=True, required=False, help_text="all of them; roles change at each person's next sign-in")


class ProviderOut(Shape):
    sql = {
        "rules": _RuleRows(_rules),
        "has_client_secret": Case(
            When(client_secret=b"", then=Value(False)), default=Value(True), output_field=BooleanField()
        ),
    }
    id = Id()
    name = Text()
    organization = Id(source="organization_id", allow_null=True)
    organization_name = Text(source="organization.name", allow_null=True)
    display_name = Text()
    issuer = Text()
    client_id = Text()
    has_client_secret = Flag()
    scopes = Text()
    email_domains = serializers.ListField(child=Text())
    enabled = Flag()
    creates_users = Flag()
    username_claim = Text()
    email_claim = Text()
    name_claim = Text()
    groups_claim = Text()
    multi_factor = serializers.ListField(child=Text())
    rules = RuleOut(many=True)
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(IDENTITY_PROVIDER, Right.IDENTITY_PROVIDER_VIEW)


class TryIn(Shape):
    pasted = Text(
        max_length=64 * 1024,
        write_only=True,
        help_text="a token, or its claims as JSON in a string; never kept or logged; no signature is checked",
    )


class PlaceOut(Shape):
    role = Text(source="role_name")
    organization = Id(source="organization_id", allow_null=True)
    vdc = Id(source="vdc_id", allow_null=True)


class RuleTried(Shape):
    position = Whole()
    value = Text()
    role = Text()
    holds = Flag()
    gives_nothing = Text(allow_null=True, help_text="why it gives nothing even if it holds; null: it does")


class TryOut(Shape):
    """What a sign-in with these claims would come to. Nothing of it was done."""

    username = Text(help_text="of the account; empty: refused")
    new = Flag(help_text="the account would be made")
    refusal = Text(help_text="why the person would not get in; empty: he would")
    notes = serializers.ListField(child=Text())
    groups = serializers.ListField(child=Text())
    second_factor = Flag(help_text="given at the provider")
    rules = RuleTried(many=True)
    made = PlaceOut(many=True, help_text="roles that would be given")
    removed = PlaceOut(many=True, help_text="roles that would be taken away")
    kept = PlaceOut(many=True, help_text="of these the last one: kept")


class CheckOut(Shape):
    """What the provider says of itself now."""

    issuer = Text()
    authorization_endpoint = Text()
    token_endpoint = Text()
    jwks_uri = Text()
    userinfo_endpoint = Text()
    end_session_endpoint = Text(help_text="empty: it can't be told to sign people out")


class IdentityOut(Shape):
    id = Id()
    provider = Id(source="provider_id")
    provider_name = Text(source="provider.display_name")
    issuer = Text()
    subject = Text()
    created_at = Moment()
    last_used_at = Moment(allow_null=True)


class IdentitiesOut(Shape):
    items = IdentityOut(many=True)
