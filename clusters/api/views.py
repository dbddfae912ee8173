"""Clusters: the provider's people look at them, take them in and let go of them."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from clusters import fleet, forgetting
from clusters.access_input import access_of
from clusters.api import serializers
from clusters.examine import Findings
from clusters.kubeconfig import Access
from clusters.models import Cluster
from core import access as rights
from core.api.base import ApiViewSet
from core.rights import Right


class ClusterViewSet(ApiViewSet):
    queryset = Cluster.objects.all()
    read_right = Right.CLUSTER_VIEW
    rights = {
        "list": Right.CLUSTER_VIEW,
        "retrieve": Right.CLUSTER_VIEW,
        "create": Right.CLUSTER_EDIT,
        "partial_update": Right.CLUSTER_EDIT,
        "destroy": Right.CLUSTER_EDIT,
        "renew_access": Right.CLUSTER_EDIT,
        "check": Right.CLUSTER_EDIT,
        "drain": Right.CLUSTER_EDIT,
        "forget": Right.CLUSTER_EDIT,
    }
    shapes = {
        "create": serializers.ClusterIn,
        "partial_update": serializers.ClusterEdit,
        "renew_access": serializers.AccessIn,
        "forget": serializers.ForgetIn,
    }
    out = serializers.ClusterOut
    outs = {"forget": serializers.LeftBehind}
    statuses = {"destroy": 204, "drain": 202}
    filters = {"name": "name", "is_default": "is_default", "schedulable": "schedulable"}
    search = ("name", "display_name")
    access: Access
    field: str
    found: Findings | str

    def ahead(self) -> None:
        """The cluster itself is asked here; what is written afterwards asks nobody."""
        if self.verb in ("create", "renew_access"):
            rights.require_system(self.actor, Right.CLUSTER_EDIT)
            if "pk" in self.kwargs:
                self.row(self.kwargs["pk"])
            self.access, self.field = access_of(self.body())
            self.found = fleet.look_over(actor=self.actor, access=self.access, field=self.field)
        elif self.verb == "check":
            rights.require_system(self.actor, Right.CLUSTER_EDIT)
            self.found = fleet.look_again(self.row(self.kwargs["pk"]))

    def create(self, request: Request) -> Response:
        """Registers a cluster that answers, lets OVIM do all it has to, and has what OVIM brings."""
        body = self.body()
        given = {name: body[name] for name in ("name", "display_name", "is_default")}
        return self.created(fleet.register_cluster(actor=self.actor, **given, **self._looked_over()))

    def renew_access(self, request: Request, pk: UUID) -> Response:
        """Another address or credential of the same cluster; it is looked over first."""
        cluster = fleet.renew_access(
            actor=self.actor, cluster=self.row(pk), generations=self.generations(), **self._looked_over()
        )
        return self.answer(cluster)

    def _looked_over(self) -> dict[str, Any]:
        return {"access": self.access, "findings": self.found, "field": self.field}

    def partial_update(self, request: Request, pk: UUID) -> Response:
        cluster = fleet.edit_cluster(
            actor=self.actor, cluster=self.row(pk), changes=self.body(), generations=self.generations()
        )
        return self.answer(cluster)

    def check(self, request: Request, pk: UUID) -> Response:
        """Looks into it now. `check_error` of the answer says what did not work."""
        return self.answer(fleet.check_cluster(actor=self.actor, cluster=self.row(pk), found=self.found))

    def drain(self, request: Request, pk: UUID) -> Response:
        """202: no new VDCs there, and organizations without VDCs there leave it."""
        cluster = fleet.drain_cluster(actor=self.actor, cluster=self.row(pk), generations=self.generations())
        return self.answer(cluster, status=202)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Refused while organizations are on it."""
        fleet.remove_cluster(actor=self.actor, cluster=self.row(pk), generations=self.generations())
        return Response(status=204)

    def forget(self, request: Request, pk: UUID) -> Response:
        """Drops a cluster that is lost for good, with all rows that live there. Answers what stays behind in it."""
        body = self.body()
        return Response(forgetting.forget_cluster(actor=self.actor, cluster=self.row(pk), confirm=body["confirm"]))
