"""`GET …/drift` of a row: what of it is otherwise in the cluster, who made it so, and what becomes of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clusters import drift
from clusters.drift import Drift, ObjectDrift, State
from core.api.fields import Flag, Id, Moment, Shape, Text
from core.api.parameters import Parameter, Parameters, flag


class FieldOut(Shape):
    path = Text()
    wanted = serializers.JSONField(help_text="secrets masked; null: not there")
    live = serializers.JSONField(help_text="secrets masked; null: not there")
    changed_by = Text(help_text="the field manager that owns it in the cluster; empty: nobody, it was taken out")
    changed_at = Moment(allow_null=True)


class ObjectOut(Shape):
    cluster = Text()
    kind = Text()
    namespace = Text()
    name = Text()
    state = serializers.ChoiceField(choices=[str(state) for state in State])
    repaired = Flag(help_text="whether OVIM makes it as wanted by itself")
    what_follows = Text()
    fields = FieldOut(many=True)  # type: ignore[assignment]  # the API's word


class OrderOut(Shape):
    """An order that can be given about it now, by POST to …/orders."""

    order = Text()
    condition = Text()
    disk = Id(allow_null=True)
    disk_name = Text(help_text="empty: the order is about no disk")
    confirm = Text(help_text="has to be sent as `confirm`; empty: nothing has to")
    hindrance = Text(help_text="why it would be refused; empty: it would be taken")


class UnseenOut(Shape):
    kind = Text()
    namespace = Text()
    name = Text()


class DriftOut(Shape):
    differs = Flag()
    live = Flag(help_text="read from the cluster for this answer; else from the cache that is kept of it")
    objects = ObjectOut(many=True)
    unseen = UnseenOut(many=True, help_text="not watched: only `?live=true` can tell")
    orders = OrderOut(many=True)


DRIFT_PARAMETERS: Mapping[str, Parameters] = {
    "drift": {"live": Parameter({"type": "boolean"}, "read the objects from the cluster now")}
}


class HasDrift:
    """Of a viewset whose rows are reconciled: into one cluster, or by placements into several."""

    def drift(self: Any, request: Request, pk: UUID) -> Response:
        """What of it is otherwise in the cluster. Nothing is written."""
        row, live = self.row(pk), flag(request._request.GET, "live")
        found = self.drift_of(row, live)
        return Response(told(found, live=live, orders=self.orders_about(row)))

    def drift_of(self, row: Any, live: bool) -> Drift:
        return drift.of(row, live=live)

    def orders_about(self, row: Any) -> Sequence[Mapping[str, Any]]:
        return ()


def told(found: Drift, *, live: bool, orders: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A drift as the API answers it."""
    return {
        "differs": found.differs,
        "live": live,
        "objects": [_object(item) for item in found.objects],
        "unseen": [{"kind": ref.kind, "namespace": ref.namespace, "name": ref.name} for ref in found.unseen],
        "orders": list(orders),
    }


def _object(item: ObjectDrift) -> dict[str, Any]:
    return {
        "cluster": item.cluster,
        "kind": item.ref.kind,
        "namespace": item.ref.namespace,
        "name": item.ref.name,
        "state": str(item.state),
        "repaired": item.repaired,
        "what_follows": item.what_follows,
        "fields": [
            {
                "path": field.path,
                "wanted": field.wanted,
                "live": field.live,
                "changed_by": field.changed_by,
                "changed_at": field.changed_at,
            }
            for field in item.fields
        ],
    }
