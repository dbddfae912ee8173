"""Pages of VDCs."""

from django.urls import path

from vdcs import views

urlpatterns = [
    path("vdcs/", views.vdc_list, name="vdc-list"),
    path("vdcs/<uuid:pk>/", views.vdc_detail, name="vdc-detail"),
]
