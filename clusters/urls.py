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
]
