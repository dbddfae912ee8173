"""Under /api/v1/."""

from django.urls import path

from core.api.routes import resource
from vms.api import views

urlpatterns = [
    *resource("vms", views.VmViewSet, "vm"),
    path("vms/<uuid:pk>/timeline", views.VmViewSet.as_view({"get": "timeline"}), name="vm-timeline"),
    path("vms/<uuid:pk>/drift", views.VmViewSet.as_view({"get": "drift"}), name="vm-drift-of"),
    path("vms/<uuid:pk>/start", views.VmViewSet.as_view({"post": "start"}), name="vm-start"),
    path("vms/<uuid:pk>/stop", views.VmViewSet.as_view({"post": "stop"}), name="vm-stop"),
    path("vms/<uuid:pk>/orders", views.VmViewSet.as_view({"post": "order"}), name="vm-order"),
    path("drift", views.DriftView.as_view(), name="drift-list"),
    path("vdcs/<uuid:pk>/unmanaged", views.UnmanagedView.as_view(), name="vdc-unmanaged"),
    path("vdcs/<uuid:pk>/unmanaged/<str:name>/adopt", views.AdoptView.as_view(), name="vdc-adopt"),
]
