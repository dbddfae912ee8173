"""Pages of clusters."""

from django.urls import path

from clusters import views

urlpatterns = [
    path("clusters/", views.cluster_list, name="cluster-list"),
    path("clusters/<uuid:pk>/", views.cluster_detail, name="cluster-detail"),
]
