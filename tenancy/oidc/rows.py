"""Rows of sign-in by an identity provider. Imported by `tenancy.models`, so they name its models by their labels."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from core.access import Scope
from core.ids import uuid7
from core.names import dns_label
from core.sealed import SealedField

claim_path = RegexValidator(
    r"^[^\s\x00-\x1f]{1,128}\Z", "A claim's name has at most 128 characters and no blanks.", code="claim"
)
domain = RegexValidator(
    r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?\Z",
    "Write a domain in lower case, such as example.org.",
    code="domain",
)


def default_multi_factor() -> list[str]:
    return ["mfa"]


class IdentityProvider(models.Model):
    """An OpenID Connect provider that people sign in with: an organization's own, or (null) for everybody."""

    scope = Scope(organization="organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        "tenancy.Organization", on_delete=models.CASCADE, null=True, blank=True, related_name="identity_providers"
    )
    name = models.CharField(max_length=63, validators=[dns_label])
    display_name = models.CharField(max_length=255)
    issuer = models.CharField(max_length=512, help_text="exactly as its tokens say it")
    client_id = models.CharField(max_length=255)
    client_secret = SealedField("identity-provider", default=b"", help_text="sealed; empty: a public client")
    scopes = models.CharField(max_length=255, default="openid profile email")
    # Whoever gives an address of these domains at sign-in is led here.
    email_domains = ArrayField(models.CharField(max_length=253, validators=[domain]), default=list, blank=True)
    enabled = models.BooleanField(default=True)
    creates_users = models.BooleanField(default=True, help_text="whoever comes for the first time gets an account")
    username_claim = models.CharField(max_length=128, default="preferred_username", validators=[claim_path])
    email_claim = models.CharField(max_length=128, default="email", validators=[claim_path])
    name_claim = models.CharField(max_length=128, default="name", validators=[claim_path])
    groups_claim = models.CharField(max_length=128, default="groups", validators=[claim_path])
    multi_factor = ArrayField(
        models.CharField(max_length=255),
        default=default_multi_factor,
        blank=True,
        help_text="values of amr or acr that say that a second factor was given",
    )
    generation = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "identity provider"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                nulls_distinct=False,
                name="identity_provider_name_in_organization",
                violation_error_message="There is an identity provider of this name already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def slug(self) -> str:
        """What its addresses are made of: `acme.keycloak`, or without an organization `keycloak`. Names have no dot."""
        return f"{self.organization.name}.{self.name}" if self.organization is not None else self.name


class Match(models.TextChoices):
    EXACT = "exact", "is exactly"
    PREFIX = "prefix", "begins with"
    GLOB = "glob", "matches (* and ?)"


class GroupRule(models.Model):
    """Whoever has such a value in a claim gets this role there, for as long as he has it."""

    scope = Scope(organization="provider__organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="rules")
    position = models.PositiveIntegerField()
    claim = models.CharField(max_length=128, blank=True, help_text="empty: the provider's claim of groups")
    match = models.CharField(max_length=8, choices=Match.choices, default=Match.EXACT)
    value = models.CharField(max_length=255)
    role = models.CharField(max_length=16, blank=True, help_text="empty: see `custom`")
    # One of the organization's own, and what it is called: null where it is gone. Then the rule gives nothing.
    custom = models.ForeignKey("tenancy.Role", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    custom_name = models.CharField(max_length=63, blank=True, db_default="", default="")
    organization = models.ForeignKey("tenancy.Organization", on_delete=models.CASCADE, null=True, blank=True)
    vdc_id = models.UUIDField(null=True, blank=True)

    class Meta:
        verbose_name = "group rule"
        ordering: ClassVar[list[str]] = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "position"], name="group_rule_position"),
            models.CheckConstraint(
                name="group_rule_to_one",
                condition=models.Q(role="") & ~models.Q(custom_name="")
                | ~models.Q(role="") & models.Q(custom__isnull=True, custom_name=""),
                violation_error_message="A rule gives a built-in role, or one of the organization.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.match} {self.value}"

    @property
    def role_name(self) -> str:
        return self.custom_name or self.role


class Identity(models.Model):
    """Who somebody is at a provider. Only (issuer, subject) says it: names and addresses are never looked at."""

    scope = Scope(organization="user__organization_id", owner="user_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=512)
    subject = models.CharField(max_length=255)
    user = models.ForeignKey("tenancy.User", on_delete=models.CASCADE, related_name="identities")
    # What the claims that rules look at held when he signed in last: {claim: [values]}.
    seen = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "identity"
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "subject"],
                name="identity_of_one_account",
                violation_error_message="This identity belongs to an account already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


class ProviderSession(models.Model):
    """A sign-in by a provider: which session of ours came of it, and what ends both.

    Without a session it waits for a code of OVIM's own second factor.
    """

    scope = Scope(organization="identity__user__organization_id", owner="identity__user_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.OneToOneField(
        "tenancy.Session", on_delete=models.CASCADE, null=True, blank=True, related_name="by_provider"
    )
    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="sessions")
    sid = models.CharField(max_length=255, blank=True, help_text="the provider's own name of its session")
    id_token = SealedField("id-token", help_text="sealed: the hint when it is asked to sign out")
    multi_factor = models.BooleanField(default=False, help_text="the provider says that a second factor was given")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "provider session"
        indexes = [models.Index(fields=["sid"], name="provider_session_by_sid")]

    def __str__(self) -> str:
        return f"{self.session_id} by {self.identity_id}"


class SpentToken(models.Model):
    """What is good once and has been used: states of sign-ins, ids of logout tokens. Kept until it would expire."""

    digest = models.CharField(max_length=64, primary_key=True, editable=False)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "spent token"

    def __str__(self) -> str:
        return self.digest[:8]
