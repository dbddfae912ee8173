"""Organizations, people, their sessions and what they may do where: one module a noun."""

from tenancy.device_rows import DeviceSignIn
from tenancy.models.invitations import Invitation
from tenancy.models.organizations import Organization, OrganizationLogo
from tenancy.models.people import PasswordReset, SecondFactor, User, UserManager, username
from tenancy.models.roles import Group, Membership, Role, RoleBinding, RoleName
from tenancy.models.sessions import AccessToken, FailedSignIns, Session, SigningKey
from tenancy.oidc.rows import IdentityProvider

__all__ = [
    "AccessToken",
    "DeviceSignIn",
    "FailedSignIns",
    "Group",
    "IdentityProvider",
    "Invitation",
    "Membership",
    "Organization",
    "OrganizationLogo",
    "PasswordReset",
    "Role",
    "RoleBinding",
    "RoleName",
    "SecondFactor",
    "Session",
    "SigningKey",
    "User",
    "UserManager",
    "username",
]
