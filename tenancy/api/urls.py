"""Under /api/v1/."""

from django.urls import path

from core.api.routes import resource
from tenancy.api import views

urlpatterns = [
    path("auth/login", views.LoginView.as_view(), name="auth-login"),
    path("auth/refresh", views.RefreshView.as_view(), name="auth-refresh"),
    path("auth/logout", views.LogoutView.as_view(), name="auth-logout"),
    path("auth/info", views.AuthInfoView.as_view(), name="auth-info"),
    path("me", views.MeView.as_view(), name="me"),
    *resource("organizations", views.OrganizationViewSet, "organization"),
    path(
        "organizations/<uuid:pk>/timeline",
        views.OrganizationViewSet.as_view({"get": "timeline"}),
        name="organization-timeline",
    ),
    *resource("users", views.UserViewSet, "user"),
    *resource("role-bindings", views.RoleBindingViewSet, "role-binding"),
    *resource("audit-entries", views.AuditEntryViewSet, "audit-entry"),
]
