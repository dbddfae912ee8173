"""Under /api/v1/."""

from django.urls import path

from core.api.routes import resource
from tenancy.api import access, devices, doors, invitations, own, programs, roles, views
from tenancy.api import identity_providers as providers

urlpatterns = [
    path("auth/login", views.LoginView.as_view(), name="auth-login"),
    path("auth/refresh", views.RefreshView.as_view(), name="auth-refresh"),
    path("auth/logout", views.LogoutView.as_view(), name="auth-logout"),
    path("auth/info", views.AuthInfoView.as_view(), name="auth-info"),
    path("auth/device", devices.DeviceView.as_view(), name="auth-device"),
    path("auth/device/token", devices.DeviceTokenView.as_view(), name="auth-device-token"),
    path("auth/password-reset", doors.PasswordResetView.as_view(), name="auth-password-reset"),
    path("auth/password-reset/confirm", doors.PasswordByLinkView.as_view(), name="auth-password-reset-confirm"),
    path("auth/invitation", doors.InvitationView.as_view(), name="auth-invitation"),
    path("auth/invitation/accept", doors.AcceptView.as_view(), name="auth-invitation-accept"),
    path("me", views.MeView.as_view(), name="me"),
    path("me/sessions", own.MySessionsView.as_view(), name="my-sessions"),
    path("me/sessions/end-others", own.EndOthersView.as_view(), name="my-sessions-end-others"),
    path("me/sessions/<uuid:pk>", own.MySessionView.as_view(), name="my-session"),
    path("me/identities", providers.MyIdentitiesView.as_view(), name="my-identities"),
    path("me/identities/<uuid:pk>", providers.MyIdentityView.as_view(), name="my-identity"),
    path("me/second-factor", own.MySecondFactorView.as_view(), name="my-second-factor"),
    path("me/second-factor/confirm", own.ConfirmSecondFactorView.as_view(), name="my-second-factor-confirm"),
    path("me/second-factor/recovery-codes", own.RecoveryCodesView.as_view(), name="my-recovery-codes"),
    path("me/second-factor/remove", own.RemoveSecondFactorView.as_view(), name="my-second-factor-remove"),
    path("me/invitation", invitations.JoinView.as_view(), name="my-invitation"),
    path("me/password", views.MyPasswordView.as_view(), name="my-password"),
    path("access/explain", access.ExplainView.as_view(), name="access-explain"),
    path("access/preview", access.PreviewView.as_view(), name="access-preview"),
    *resource("organizations", views.OrganizationViewSet, "organization"),
    path(
        "organizations/<uuid:pk>/timeline",
        views.OrganizationViewSet.as_view({"get": "timeline"}),
        name="organization-timeline",
    ),
    *[
        path(
            f"organizations/<uuid:pk>/{verb}",
            views.OrganizationViewSet.as_view({"post": verb.replace("-", "_")}),
            name=f"organization-{verb}",
        )
        for verb in ("disable", "enable", "undo-deletion")
    ],
    path(
        "organizations/<uuid:pk>/logo",
        views.OrganizationViewSet.as_view({"put": "set_logo", "delete": "remove_logo"}),
        name="organization-logo",
    ),
    path(
        "organizations/<uuid:pk>/drift",
        views.OrganizationViewSet.as_view({"get": "drift"}),
        name="organization-drift-of",
    ),
    path(
        "organizations/<uuid:pk>/audit-retention",
        views.AuditRetentionView.as_view(),
        name="organization-audit-retention",
    ),
    *resource("users", views.UserViewSet, "user"),
    path(
        "users/<uuid:pk>/reset-password",
        views.UserViewSet.as_view({"post": "reset_password"}),
        name="user-reset-password",
    ),
    path(
        "users/<uuid:pk>/reset-second-factor",
        views.UserViewSet.as_view({"post": "reset_second_factor"}),
        name="user-reset-second-factor",
    ),
    path("users/<uuid:pk>/disable", views.UserViewSet.as_view({"post": "disable"}), name="user-disable"),
    path("users/<uuid:pk>/enable", views.UserViewSet.as_view({"post": "enable"}), name="user-enable"),
    *resource("tokens", programs.TokenViewSet, "access-token"),
    *resource("service-accounts", programs.ServiceAccountViewSet, "service-account"),
    path(
        "service-accounts/<uuid:pk>/disable",
        programs.ServiceAccountViewSet.as_view({"post": "disable"}),
        name="service-account-disable",
    ),
    path(
        "service-accounts/<uuid:pk>/enable",
        programs.ServiceAccountViewSet.as_view({"post": "enable"}),
        name="service-account-enable",
    ),
    *resource("invitations", invitations.InvitationViewSet, "invitation"),
    path(
        "invitations/<uuid:pk>/resend",
        invitations.InvitationViewSet.as_view({"post": "resend"}),
        name="invitation-resend",
    ),
    *resource("identity-providers", providers.IdentityProviderViewSet, "identity-provider"),
    path(
        "identity-providers/<uuid:pk>/try",
        providers.IdentityProviderViewSet.as_view({"post": "try_claims"}),
        name="identity-provider-try-claims",
    ),
    path(
        "identity-providers/<uuid:pk>/check",
        providers.IdentityProviderViewSet.as_view({"post": "check"}),
        name="identity-provider-check",
    ),
    *resource("roles", roles.RoleViewSet, "role"),
    *resource("groups", roles.GroupViewSet, "group"),
    *resource("memberships", roles.MembershipViewSet, "membership"),
    *resource("role-bindings", roles.RoleBindingViewSet, "role-binding"),
    path("audit-entries/export", views.AuditExportView.as_view(), name="audit-entry-export"),
    *resource("audit-entries", views.AuditEntryViewSet, "audit-entry"),
]
