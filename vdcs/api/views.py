"""VDCs and organizations' quotas: shape in, service, shape out."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from clusters import drift
from clusters.api.drifts import DRIFT_PARAMETERS, DriftOut, HasDrift
from clusters.drift import Drift
from clusters.models import Cluster
from core import access
from core.api import parameters
from core.api.base import ApiView, ApiViewSet
from core.api.parameters import Parameter
from core.errors import Invalid
from core.rights import Right
from tenancy.api.timelines import TIMELINE_PARAMETERS, HasTimeline, TimelinePage
from tenancy.models import Organization
from vdcs import selectors, services
from vdcs.api import serializers
from vdcs.kubectl import own_access
from vdcs.models import Vdc

MOST_STRANGERS = 99_999_999


class VdcViewSet(HasTimeline, HasDrift, ApiViewSet):
    queryset = Vdc.objects.select_related("organization", "cluster", "quota")
    read_right = Right.VDC_VIEW
    rights = {
        "list": Right.VDC_VIEW,
        "retrieve": Right.VDC_VIEW,
        "timeline": Right.VDC_VIEW,
        "drift": Right.VDC_VIEW,
        "kubectl": Right.VDC_VIEW,
        "create": Right.VDC_CREATE,
        "partial_update": Right.VDC_EDIT,
        "destroy": Right.VDC_DELETE,
    }
    shapes = {"create": serializers.VdcIn, "partial_update": serializers.VdcEdit}
    out = serializers.VdcOut
    outs = {"timeline": TimelinePage, "drift": DriftOut, "kubectl": serializers.KubectlOut}
    statuses = {"destroy": 202}
    filters = {"organization": "organization_id", "cluster": "cluster_id", "name": "name", "phase": "phase"}
    search = ("name", "display_name")
    parameters = {
        **TIMELINE_PARAMETERS,
        **DRIFT_PARAMETERS,
        "destroy": {
            "cascade": Parameter({"type": "boolean"}, "what is in it goes first"),
            "strangers": Parameter(
                {"type": "integer", "minimum": 0, "maximum": MOST_STRANGERS},
                "how many objects that are not OVIM's go with it",
            ),
        },
    }

    def create(self, request: Request) -> Response:
        body = self.body()
        body["organization"] = self.related(
            "organization", Organization.objects.all(), body["organization"], Right.ORGANIZATION_VIEW
        )
        cluster = body.pop("cluster")
        if cluster is not None:
            body["cluster"] = Cluster.objects.filter(pk=cluster).first()
            if body["cluster"] is None:
                raise Invalid.field("cluster", "not_found", "There is no such cluster.")
        return self.created(services.create_vdc(actor=self.actor, **body))

    def partial_update(self, request: Request, pk: UUID) -> Response:
        changes = self.body()
        below = changes.pop("allow_below_use", False)
        vdc = services.edit_vdc(
            actor=self.actor,
            vdc=self.row(pk),
            changes=changes,
            allow_below_use=below,
            generations=self.generations(),
        )
        return self.answer(vdc)

    def drift_of(self, row: Vdc, live: bool) -> Drift:
        found = drift.of(row, live=live)
        return found + drift.of_along(row, live=live) if access.allows(self.actor, Right.BINDING_VIEW, row) else found

    def kubectl(self, request: Request, pk: UUID) -> Response:
        """Where and as whom the caller uses kubectl with it, and what he may do there."""
        return Response(own_access(self.actor, self.row(pk)))

    def destroy(self, request: Request, pk: UUID) -> Response:
        """`?cascade=true`: what is in it goes first. `?strangers=N`: so do the N objects there that are not OVIM's."""
        vdc, generations = self.row(pk), self.generations()
        cascade = parameters.flag(request.query_params, "cascade")
        strangers = parameters.whole(request.query_params, "strangers", MOST_STRANGERS)
        return self.accepted(
            lambda: services.delete_vdc(
                actor=self.actor, vdc=vdc, cascade=cascade, strangers=strangers, generations=generations
            )
        )


class OrganizationQuotaView(ApiView):
    """An organization's quota: what its VDCs may reserve, or use, together."""

    rights = {"get": Right.ORGANIZATION_VIEW, "put": Right.ORGANIZATION_EDIT}
    shapes = {"put": serializers.QuotaIn}
    outs = {"get": serializers.QuotaOut, "put": serializers.QuotaOut}

    def get(self, request: Request, pk: UUID) -> Response:
        return self._answer(self._organization(pk))

    def put(self, request: Request, pk: UUID) -> Response:
        organization = self._organization(pk)
        services.set_organization_quota(
            actor=self.actor, organization=organization, generations=self.generations(), **self.body()
        )
        return self._answer(organization)

    def _organization(self, pk: UUID) -> Organization:
        return access.get(self.actor, Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)

    def _answer(self, organization: Organization) -> Response:
        found = selectors.organization_usage(organization.pk)
        return Response(found, headers={"ETag": f'"{found["generation"]}"'})
