"""Under /api/v1/."""

from django.urls import path

from core.api.routes import resource
from vdcs.api import views

urlpatterns = [
    *resource("vdcs", views.VdcViewSet, "vdc"),
    path("vdcs/<uuid:pk>/timeline", views.VdcViewSet.as_view({"get": "timeline"}), name="vdc-timeline"),
    path("vdcs/<uuid:pk>/drift", views.VdcViewSet.as_view({"get": "drift"}), name="vdc-drift-of"),
    path("vdcs/<uuid:pk>/kubectl", views.VdcViewSet.as_view({"get": "kubectl"}), name="vdc-kubectl"),
    path("organizations/<uuid:pk>/quota", views.OrganizationQuotaView.as_view(), name="organization-quota"),
]
