"""Addresses of sign-in by a provider, of one's own identities, and of providers' pages."""

from django.urls import path

from tenancy.oidc import own, pages, views

urlpatterns = [
    path("sign-in/find/", views.find, name="sign-in-find"),
    path("oidc/<str:slug>/start/", views.start, name="oidc-start"),
    path("oidc/<str:slug>/callback/", views.callback, name="oidc-callback"),
    path("oidc/back-channel-logout/<str:slug>/", views.back_channel_logout, name="oidc-back-channel-logout"),
    path("account/identities/", own.identity_list, name="identity-list"),
    path("account/identities/confirm/", own.identity_confirm, name="identity-confirm"),
    path("account/identities/<uuid:pk>/remove/", own.identity_remove, name="identity-remove"),
    path("account/identities/link/<str:slug>/", own.identity_link, name="identity-link"),
    path("identity-providers/", pages.provider_list, name="identity-provider-list-page"),
    path("identity-providers/new/", pages.provider_create, name="identity-provider-new"),
    path("identity-providers/<uuid:pk>/", pages.provider_detail, name="identity-provider-page"),
    path("identity-providers/<uuid:pk>/edit/", pages.provider_edit, name="identity-provider-edit"),
    path("identity-providers/<uuid:pk>/delete/", pages.provider_delete, name="identity-provider-delete"),
    path("identity-providers/<uuid:pk>/try/", pages.provider_try, name="identity-provider-try"),
    path("identity-providers/<uuid:pk>/rules/new/", pages.rule_create, name="identity-provider-rule-new"),
    path(
        "identity-providers/<uuid:pk>/rules/<uuid:rule>/delete/",
        pages.rule_delete,
        name="identity-provider-rule-delete",
    ),
]
