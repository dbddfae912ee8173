"""Clusters, to look at: for the provider's people."""

from clusters.api import serializers
from clusters.models import Cluster
from core.api.base import ApiViewSet
from core.rights import Right


class ClusterViewSet(ApiViewSet):
    queryset = Cluster.objects.all()
    read_right = Right.CLUSTER_VIEW
    rights = {"list": Right.CLUSTER_VIEW, "retrieve": Right.CLUSTER_VIEW}
    out = serializers.ClusterOut
    filters = {"name": "name", "is_default": "is_default"}
    search = ("name", "display_name")
