"""Pages of VDCs, and of an organization as the sum of its VDCs."""

from django.urls import path

from vdcs import views

urlpatterns = [
    path("vdcs/", views.vdc_list, name="vdc-list"),
    path("orgs/<uuid:pk>/", views.organization_detail, name="organization-detail"),
    path("vdcs/<uuid:pk>/", views.vdc_detail, name="vdc-detail"),
]
