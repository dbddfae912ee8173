"""Orphans: what of a cluster carries our label and has no row. For the provider's people."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from clusters import orphans
from clusters.actions import ORPHAN
from clusters.models import Cluster, Orphan
from core import access
from core.api.base import ApiView, ApiViewSet
from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text
from core.api.parameters import Parameter
from core.rights import Right


class OrphanOut(Shape):
    id = Id()
    cluster = Id(source="cluster_id")
    cluster_name = Text(source="cluster.name")
    kind = Text()
    namespace = Text()
    name = Text()
    uid = Id()
    applied_by_us = Flag(help_text="whether OVIM's field manager wrote it; a label alone anybody can write")
    made_at = Moment(allow_null=True)
    first_seen_at = Moment()
    last_seen_at = Moment()
    deletion_requested_at = Moment(allow_null=True)
    last_error = Text(help_text="why its deletion was not carried out")
    allowed_actions = AllowedActions(ORPHAN, Right.CLUSTER_VIEW)


class OrphanViewSet(ApiViewSet):
    queryset = Orphan.objects.select_related("cluster")
    read_right = Right.CLUSTER_VIEW
    rights = {"list": Right.CLUSTER_VIEW, "retrieve": Right.CLUSTER_VIEW, "destroy": Right.ENGINE_OPERATE}
    out = OrphanOut
    statuses = {"destroy": 202}
    versioned = False
    filters = {"cluster": "cluster_id", "kind": "kind", "namespace": "namespace", "name": "name"}
    search = ("name", "namespace")
    parameters = {
        "destroy": {
            "confirm": Parameter({"type": "string", "maxLength": 253}, "the name of what may hold data"),
        }
    }

    def destroy(self, request: Request, pk: UUID) -> Response:
        """202: a worker deletes this very object, by its uid, if it is an orphan still."""
        confirm = str(request.query_params.get("confirm", ""))
        orphan = self.row(pk)
        return self.accepted(lambda: orphans.delete_orphan(actor=self.actor, orphan=orphan, confirm=confirm))


class AuditView(ApiView):
    """Search a cluster for orphans now, not in an hour."""

    rights = {"post": Right.ENGINE_OPERATE}
    statuses = {"post": 202}
    versioned = False

    def post(self, request: Request, pk: UUID) -> Response:
        cluster = access.get(self.actor, Cluster.objects.defer("credential", "ca"), pk, Right.CLUSTER_VIEW)
        return Response({"detail": orphans.request_look(actor=self.actor, cluster=cluster)}, status=202)
