"""Organizations, people, sessions and roles in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group as DjangoGroup
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from core.backoffice.base import Admin, Verb, points
from tenancy.device_rows import DeviceSignIn
from tenancy.models import (
    AccessToken,
    FailedSignIns,
    Group,
    Invitation,
    Membership,
    Organization,
    OrganizationLogo,
    PasswordReset,
    Role,
    RoleBinding,
    SecondFactor,
    Session,
    SigningKey,
    User,
)
from tenancy.oidc.rows import GroupRule, Identity, IdentityProvider, ProviderSession, SpentToken
from tenancy.services import access_tokens, bindings, groups, identity_providers, roles, sessions, users

admin.site.unregister(DjangoGroup)  # groups are ours, and have no permissions of their own


def _disable(*, actor: Any, row: User) -> str:
    users.disable_user(actor=actor, user=row)
    return "The account is disabled and its sessions are ended."


def _enable(*, actor: Any, row: User) -> str:
    users.enable_user(actor=actor, user=row)
    return "The account is enabled."


def _end(*, actor: Any, row: Session) -> str:
    sessions.end(actor=actor, session=row)
    return "The session is ended."


def _delete_token(*, actor: Any, row: AccessToken) -> str:
    access_tokens.delete_token(actor=actor, token=row)
    return "The token is deleted."


def _unbind(*, actor: Any, row: RoleBinding) -> str:
    bindings.unbind_role(actor=actor, binding=row)
    return "The role is taken away."


def _delete_role(*, actor: Any, row: Role) -> str:
    roles.delete_role(actor=actor, role=row)
    return "The role is deleted."


def _delete_group(*, actor: Any, row: Group) -> str:
    groups.delete_group(actor=actor, group=row)
    return "The group is deleted, and its roles with it."


def _remove_member(*, actor: Any, row: Membership) -> str:
    groups.remove_member(actor=actor, group=row.group, user=row.user)
    return "The person is out of the group."


def _switch(*, actor: Any, row: IdentityProvider) -> str:
    identity_providers.edit_provider(actor=actor, provider=row, changes={"enabled": not row.enabled})
    return "It is disabled." if row.enabled else "It is enabled."


@admin.register(Organization)
class OrganizationAdmin(Admin):
    list_display = ("name", "display_name", "enabled", "deletion_requested_at", "created_at")
    list_filter = ("enabled", ("deletion_requested_at", admin.EmptyFieldListFilter))
    find_by_name = ("name",)
    search_help_text = "How the name begins, or an id."
    related = ("placement", "vdc", "virtualmachine", "user", "rolebinding", "catalog", "quotascope", "auditentry")


@admin.register(OrganizationLogo)
class OrganizationLogoAdmin(Admin):
    list_display = ("organization", "media_type", "width", "height", "changed_at")
    list_select_related = ("organization",)
    secret = ("data",)
    find_by_id = ("organization_id",)
    search_help_text = "The id of the organization."


@admin.register(User)
class UserAdmin(Admin):
    list_display = ("username", "full_name", "email", "organization", "is_active", "created_at")
    list_filter = ("is_active",)
    list_select_related = ("organization",)
    secret = ("password",)
    find_by_id = ("id", "organization_id")
    search_help_text = "How the user name or the e-mail address begins, or the id of the person or the organization."
    related = ("rolebinding", "session", "virtualmachine", "auditentry")
    verbs = (
        Verb("disable", "Disable", "The person can't sign in any more; his sessions end.", _disable,
             applies=lambda row: row.is_active, dangerous=True),
        Verb("enable", "Enable", "The person can sign in again.", _enable, applies=lambda row: not row.is_active),
    )  # fmt: skip

    def by_text(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        found: QuerySet[Any] = queryset.alias(lower_email=Lower("email"))
        term = term.lower()
        return found.filter(Q(username__startswith=term) | Q(lower_email__startswith=term))


@admin.register(Session)
class SessionAdmin(Admin):
    list_display = ("id", "user", "created_at", "expires_at", "revoked_at", "address", "user_agent")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    secret = ("refresh_id",)
    find_by_id = ("id", "user_id")
    search_help_text = "Its id, or that of the person."
    verbs = (
        Verb("end", "End", "Whoever uses this session is signed out at once.", _end,
             applies=lambda row: row.revoked_at is None, dangerous=True),
    )  # fmt: skip


@admin.register(RoleBinding)
class RoleBindingAdmin(Admin):
    list_display = (
        "id", "user", "group", "role", "custom", "organization", points("vdc_id", "VDC"), points("vm_id", "VM"),
        "expires_at", "created_at",
    )  # fmt: skip
    list_filter = ("role", ("custom", admin.EmptyFieldListFilter), ("expires_at", admin.EmptyFieldListFilter))
    list_select_related = ("user", "group", "custom", "organization")
    find_by_id = ("id", "user_id", "group_id", "custom_id", "organization_id")
    search_help_text = "The id of the person, the group, the role, the organization or the binding."
    verbs = (Verb("unbind", "Take away", "The person loses this role at once.", _unbind, dangerous=True),)


@admin.register(Role)
class RoleAdmin(Admin):
    list_display = ("name", "organization", "display_name", "rights", "own_only", "created_at")
    list_filter = ("own_only",)
    list_select_related = ("organization",)
    find_by_id = ("id", "organization_id")
    find_by_name = ("name",)
    search_help_text = "How its name begins, its id, or that of the organization."
    related = ("rolebinding", "auditentry")
    verbs = (Verb("delete", "Delete", "Refused while it is given to anybody.", _delete_role, dangerous=True),)


@admin.register(Group)
class GroupAdmin(Admin):
    list_display = ("name", "organization", "display_name", "external", "created_at")
    list_filter = (("organization", admin.EmptyFieldListFilter),)
    list_select_related = ("organization",)
    find_by_id = ("id", "organization_id")
    find_by_name = ("name",)
    search_help_text = "How its name begins, its id, or that of the organization."
    related = ("membership", "rolebinding", "auditentry")
    verbs = (
        Verb("delete", "Delete", "Its people lose at once what they had by it.", _delete_group, dangerous=True),
    )  # fmt: skip


@admin.register(Membership)
class MembershipAdmin(Admin):
    list_display = ("id", "group", "user", "created_at")
    list_filter = ()
    list_select_related = ("group", "user")
    find_by_id = ("id", "group_id", "user_id")
    search_help_text = "Its id, or that of the group or the person."
    verbs = (
        Verb("remove", "Take out", "The person loses at once what he had by the group.", _remove_member, dangerous=True),
    )  # fmt: skip


@admin.register(FailedSignIns)
class FailedSignInsAdmin(Admin):
    list_display = ("key", "failures", "since")
    find_by_id = ()
    find_by_name = ("key",)
    search_help_text = "How the key begins: account:<user name> or address:<address>."


@admin.register(AccessToken)
class AccessTokenAdmin(Admin):
    list_display = ("name", "user", "created_at", "expires_at", "last_used_at", "last_address")
    list_select_related = ("user",)
    secret = ("digest",)
    find_by_id = ("id", "user_id")
    search_help_text = "Its id, or that of the person or service account."
    verbs = (Verb("delete", "Delete", "Programs that use it are refused at once.", _delete_token, dangerous=True),)


@admin.register(SecondFactor)
class SecondFactorAdmin(Admin):
    list_display = ("id", "user", "created_at", "confirmed_at")
    list_filter = (("confirmed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    secret = ("secret", "last_step", "recovery")
    find_by_id = ("id", "user_id")
    search_help_text = "Its id, or that of the person."


@admin.register(Invitation)
class InvitationAdmin(Admin):
    list_display = (
        "email",
        "organization",
        "role_name",
        points("vdc_id", "VDC"),
        "inviter_name",
        "expires_at",
        "accepted_at",
    )
    list_filter = (("accepted_at", admin.EmptyFieldListFilter), ("withdrawn_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    secret = ("digest",)
    pointers = {"vdc_id": "=vdc", "mail_id": "=mail"}
    find_by_id = ("id", "organization_id")
    search_help_text = "Its id, or that of the organization."


@admin.register(PasswordReset)
class PasswordResetAdmin(Admin):
    list_display = ("created_at", "asked_for", "user", "expires_at", "used_at", "address")
    list_select_related = ("user",)
    secret = ("digest",)
    find_by_id = ("id", "user_id")
    search_help_text = "Its id, or that of the person."


@admin.register(DeviceSignIn)
class DeviceSignInAdmin(Admin):
    list_display = ("created_at", "host", "user", "address", "expires_at", "denied_at", "used_at")
    list_select_related = ("user",)
    secret = ("device_digest", "user_digest")
    find_by_id = ("id", "user_id")
    search_help_text = "Its id, or that of the person."


@admin.register(SigningKey)
class SigningKeyAdmin(Admin):
    list_display = ("kid", "created_at", "ends_at")
    list_filter = (("ends_at", admin.EmptyFieldListFilter),)
    secret = ("private",)
    find_by_name = ("kid",)
    search_help_text = "How its kid begins, or an id."


@admin.register(IdentityProvider)
class IdentityProviderAdmin(Admin):
    list_display = ("name", "organization", "display_name", "issuer", "enabled", "created_at")
    list_filter = ("enabled",)
    list_select_related = ("organization",)
    secret = ("client_secret",)
    find_by_id = ("id", "organization_id")
    find_by_name = ("name",)
    search_help_text = "How the name begins, or the id of the provider or the organization."
    verbs = (
        Verb("disable", "Disable", "Nobody signs in by it any more; sessions begun by it end.", _switch,
             applies=lambda row: row.enabled, dangerous=True),
        Verb("enable", "Enable", "People can sign in by it again.", _switch, applies=lambda row: not row.enabled),
    )  # fmt: skip


@admin.register(GroupRule)
class GroupRuleAdmin(Admin):
    list_display = (
        "provider",
        "position",
        "claim",
        "match",
        "value",
        "role_name",
        "organization",
        points("vdc_id", "VDC"),
    )
    list_select_related = ("provider", "organization")
    find_by_id = ("id", "provider_id")
    search_help_text = "Its id, or that of the provider."


@admin.register(Identity)
class IdentityAdmin(Admin):
    list_display = ("subject", "issuer", "user", "provider", "created_at", "last_used_at")
    list_select_related = ("user", "provider")
    find_by_id = ("id", "user_id", "provider_id")
    find_by_name = ("subject",)
    search_help_text = "How the subject begins, or the id of the identity, the person or the provider."


@admin.register(ProviderSession)
class ProviderSessionAdmin(Admin):
    list_display = ("id", "session", "identity", "sid", "multi_factor", "created_at")
    list_select_related = ("session", "identity")
    secret = ("id_token",)
    find_by_id = ("id", "session_id", "identity_id")
    search_help_text = "Its id, or that of the session or the identity."


@admin.register(SpentToken)
class SpentTokenAdmin(Admin):
    list_display = ("digest", "expires_at")
    find_by_id = ()
    find_by_name = ("digest",)
    search_help_text = "How the digest begins."
