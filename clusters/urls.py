"""Pages of clusters."""

from django.urls import path

from clusters import making, views

urlpatterns = [
    path("clusters/", views.cluster_list, name="cluster-list"),
    path("clusters/new/", making.cluster_create, name="cluster-new"),
    path("clusters/<uuid:pk>/", views.cluster_detail, name="cluster-detail"),
    path("clusters/<uuid:pk>/edit/", making.cluster_edit, name="cluster-edit"),
    path("clusters/<uuid:pk>/access/", making.cluster_access, name="cluster-access"),
    path("clusters/<uuid:pk>/check/", making.cluster_check, name="cluster-check"),
    path("clusters/<uuid:pk>/drain/", making.cluster_drain, name="cluster-drain"),
    path("clusters/<uuid:pk>/delete/", making.cluster_delete, name="cluster-delete"),
    path("clusters/<uuid:pk>/forget/", making.cluster_forget, name="cluster-forget"),
    path("clusters/<uuid:pk>/orphans/", views.cluster_orphans, name="cluster-orphans"),
    path("clusters/<uuid:pk>/audit/", views.cluster_audit, name="cluster-audit-page"),
    path("orphans/<uuid:pk>/delete/", views.orphan_delete, name="orphan-delete"),
]
