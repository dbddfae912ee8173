"""Pages of VDCs, and of an organization as the sum of its VDCs."""

from django.urls import path

from core.listing.menu import menu_of
from vdcs import making, organizations, roles, views
from vdcs.listings import VDCS

urlpatterns = [
    path("orgs/new/", organizations.organization_create, name="organization-new"),
    path("orgs/<uuid:pk>/edit/", organizations.organization_edit, name="organization-edit"),
    path("orgs/<uuid:pk>/quota/", organizations.organization_quota, name="organization-quota-page"),
    path("orgs/<uuid:pk>/disable/", organizations.organization_disable, name="organization-disable"),
    path("orgs/<uuid:pk>/enable/", organizations.organization_enable, name="organization-enable"),
    path("orgs/<uuid:pk>/delete/", organizations.organization_delete, name="organization-delete"),
    path("orgs/<uuid:pk>/undo-deletion/", organizations.organization_undo, name="organization-undo"),
    path("orgs/<uuid:pk>/logo/", organizations.organization_logo, name="organization-logo-page"),
    path("orgs/<uuid:pk>/people/", roles.organization_people, name="organization-people"),
    path("vdcs/new/", making.vdc_create, name="vdc-new"),
    path("vdcs/<uuid:pk>/menu/", menu_of(VDCS), name="vdc-menu"),
    path("vdcs/<uuid:pk>/edit/", making.vdc_edit, name="vdc-edit"),
    path("vdcs/<uuid:pk>/delete/", making.vdc_delete, name="vdc-delete"),
    path("vdcs/<uuid:pk>/people/", roles.vdc_people, name="vdc-people"),
    path("people/<uuid:pk>/roles/", roles.person_roles, name="person-roles"),
    path("roles/<uuid:pk>/end/", roles.role_end, name="role-end"),
    path("roles/<uuid:pk>/remove/", roles.role_remove, name="role-remove"),
    path("vdcs/", views.vdc_list, name="vdc-list"),
    path("orgs/<uuid:pk>/", views.organization_detail, name="organization-detail"),
    path("vdcs/<uuid:pk>/", views.vdc_detail, name="vdc-detail"),
]
