"""Pages of tenancy."""

from django.urls import path

from core.listing.menu import menu_of
from tenancy import directory, keys, people, views
from tenancy.listings import ORGANIZATIONS, USERS

urlpatterns = [
    path(".well-known/jwks.json", keys.jwks, name="jwks"),
    path("sign-in/", views.sign_in, name="sign-in"),
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
    path("people/<uuid:pk>/password/", people.person_password, name="user-password"),
    path("account/password/", people.own_password, name="own-password"),
    path("people/<uuid:pk>/", directory.user_detail, name="user-detail"),
    path("activity/", directory.audit_list, name="audit-list"),
    path("activity/export/", directory.audit_export, name="audit-export"),
    path("activity/<uuid:pk>/", directory.audit_detail, name="audit-detail"),
]
