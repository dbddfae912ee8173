"""Pages of tenancy."""

from django.urls import path

from core.listing.menu import menu_of
from tenancy import directory, group_pages, keys, own, people, programs, role_pages, views
from tenancy.listings import ORGANIZATIONS, USERS
from tenancy.oidc.urls import urlpatterns as oidc

urlpatterns = [
    path(".well-known/jwks.json", keys.jwks, name="jwks"),
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/code/", views.sign_in_code, name="sign-in-code"),
    *oidc,
    path("sign-in/<str:organization>/", views.sign_in, name="sign-in-to"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("orgs/", directory.organization_list, name="organization-list"),
    path("people/", directory.user_list, name="user-list"),
    path("orgs/<uuid:pk>/menu/", menu_of(ORGANIZATIONS), name="organization-menu"),
    path("people/<uuid:pk>/menu/", menu_of(USERS), name="user-menu"),
    path("people/new/", people.person_create, name="user-new"),
    path("people/<uuid:pk>/edit/", people.person_edit, name="user-edit"),
    path("people/<uuid:pk>/disable/", people.person_disable, name="user-disable-page"),
    path("people/<uuid:pk>/enable/", people.person_enable, name="user-enable-page"),
    path("people/<uuid:pk>/delete/", people.person_delete, name="user-delete-page"),
    path("people/<uuid:pk>/second-factor/", people.person_second_factor, name="user-second-factor"),
    path("people/<uuid:pk>/password/", people.person_password, name="user-password"),
    path("people/<uuid:pk>/preview/", people.person_preview, name="person-preview"),
    path("preview/end/", people.preview_end, name="preview-end"),
    path("orgs/<uuid:pk>/roles/", role_pages.role_list, name="role-list-page"),
    path("orgs/<uuid:pk>/roles/new/", role_pages.role_create, name="role-new"),
    path("own-roles/<uuid:pk>/edit/", role_pages.role_edit, name="role-edit"),
    path("own-roles/<uuid:pk>/delete/", role_pages.role_delete, name="role-delete-page"),
    path("orgs/<uuid:pk>/groups/", group_pages.group_list, name="group-list-page"),
    path("orgs/<uuid:pk>/groups/new/", group_pages.group_create, name="group-new"),
    path("groups/<uuid:pk>/", group_pages.group_detail, name="group-detail-page"),
    path("groups/<uuid:pk>/edit/", group_pages.group_edit, name="group-edit"),
    path("groups/<uuid:pk>/delete/", group_pages.group_delete, name="group-delete-page"),
    path("memberships/<uuid:pk>/remove/", group_pages.group_remove, name="group-remove"),
    path("account/second-factor/", own.second_factor_page, name="second-factor"),
    path("account/sessions/", own.session_list, name="session-list"),
    path("account/sessions/end-others/", own.session_end_others, name="session-end-others"),
    path("account/sessions/<uuid:pk>/end/", own.session_end, name="session-end"),
    path("account/tokens/", programs.token_list, name="token-list"),
    path("account/tokens/new/", programs.token_create, name="token-new"),
    path("account/tokens/<uuid:pk>/delete/", programs.token_delete, name="token-delete"),
    path("orgs/<uuid:pk>/service-accounts/", programs.account_list, name="service-account-list-page"),
    path("orgs/<uuid:pk>/service-accounts/new/", programs.account_create, name="service-account-new"),
    path("service-accounts/<uuid:pk>/tokens/new/", programs.account_token, name="service-account-token"),
    path("service-accounts/<uuid:pk>/delete/", programs.account_delete, name="service-account-delete"),
    path("account/password/", people.own_password, name="own-password"),
    path("people/<uuid:pk>/", directory.user_detail, name="user-detail"),
    path("activity/", directory.audit_list, name="audit-list"),
    path("activity/export/", directory.audit_export, name="audit-export"),
    path("activity/<uuid:pk>/", directory.audit_detail, name="audit-detail"),
]
