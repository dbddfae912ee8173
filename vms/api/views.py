"""VMs: shape in, service, shape out. The list is rendered by PostgreSQL."""

from typing import Any, ClassVar
from uuid import UUID

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from catalogs.models import CatalogItem
from clusters.api.drifts import DRIFT_PARAMETERS, DriftOut, HasDrift
from clusters.drift import Drift
from core import access
from core.api.base import ApiView, ApiViewSet
from core.api.columns import Columns
from core.api.json import Raw
from core.errors import Invalid
from core.rights import Right
from tenancy.api.timelines import TIMELINE_PARAMETERS, HasTimeline, TimelinePage
from vdcs.models import Vdc
from vms import adoption, drifts, orders, services, unmanaged
from vms.api import serializers
from vms.drifting import MOST, drifting
from vms.models import Disk, VirtualMachine
from vms.words import SENTENCES

ALIASES = {"memory": "memory_mib", "disk": "disk_gib"}
MASK = "•••"


class VmViewSet(HasTimeline, HasDrift, ApiViewSet):
    queryset = VirtualMachine.objects.select_related("vdc", "owner")
    read_right = Right.VM_VIEW
    rights = {
        "list": Right.VM_VIEW,
        "retrieve": Right.VM_VIEW,
        "timeline": Right.VM_VIEW,
        "drift": Right.VM_VIEW,
        "create": Right.VM_CREATE,
        "partial_update": Right.VM_EDIT,
        "destroy": Right.VM_DELETE,
        "start": Right.VM_POWER,
        "stop": Right.VM_POWER,
        "order": Right.VM_ORDER,
    }
    shapes = {
        "create": serializers.VmIn,
        "partial_update": serializers.VmEdit,
        "order": serializers.VmOrder,
    }
    out = serializers.VmOut
    outs = {name: serializers.VmDetail for name in rights if name != "list"} | {
        "timeline": TimelinePage,
        "drift": DriftOut,
    }
    parameters = {**TIMELINE_PARAMETERS, **DRIFT_PARAMETERS}
    words = SENTENCES
    statuses = {"destroy": 202, "order": 202}
    filters = {
        "organization": "organization_id",
        "vdc": "vdc_id",
        "owner": "owner_id",
        "phase": "phase",
        "name": "name",
        "power_state": "power_state",
    }
    search = ("name", "display_name")
    one: ClassVar[Columns] = Columns(queryset, serializers.VmDetail)

    def create(self, request: Request) -> Response:
        body = _without_aliases(self.body())
        body["vdc"] = self.related("vdc", Vdc.objects.select_related("organization"), body["vdc"], Right.VDC_VIEW)
        items = CatalogItem.objects.select_related("catalog", "image")
        body["catalog_item"] = self.related("catalog_item", items, body["catalog_item"], Right.CATALOG_VIEW)
        return self.created(services.create_vm(actor=self.actor, **body))

    def partial_update(self, request: Request, pk: UUID) -> Response:
        changes = _without_aliases(self.body())
        vm = services.edit_vm(actor=self.actor, vm=self._vm(pk), changes=changes, generations=self.generations())
        return self.answer(vm)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """202: it goes as soon as the cluster has let go of it; until then it shows as Terminating."""
        vm, generations = self._vm(pk), self.generations()
        return self.accepted(lambda: services.delete_vm(actor=self.actor, vm=vm, generations=generations))

    def start(self, request: Request, pk: UUID) -> Response:
        return self._power(pk, on=True)

    def stop(self, request: Request, pk: UUID) -> Response:
        return self._power(pk, on=False)

    def order(self, request: Request, pk: UUID) -> Response:
        """202: it is written down; the condition goes when it has been carried out."""
        body = self.body()
        vm = self._vm(pk)
        disk = self.related("disk", Disk.objects.filter(vm=vm), body["disk"], Right.VM_VIEW)
        given = {"order": body["order"], "disk": disk, "confirm": body["confirm"]}
        vm = orders.give(actor=self.actor, vm=vm, **given, generations=self.generations())
        return self.answer(vm, status=202)

    def drift_of(self, row: Any, live: bool) -> Drift:
        return drifts.drift_of(row, live=live)

    def orders_about(self, row: Any) -> Any:
        return drifts.orders_about(row)

    def _power(self, pk: UUID, *, on: bool) -> Response:
        vm = services.set_power(actor=self.actor, vm=self._vm(pk), on=on, generations=self.generations())
        return self.answer(vm)

    def _vm(self, pk: UUID) -> Any:
        return self.row(pk, VirtualMachine.objects.select_related("vdc"))

    @property
    def shown(self) -> Columns:
        return self.columns if self.verb == "list" else self.one

    def line(self, row: Any, fields: frozenset[str] | None) -> Raw:
        line = super().line(row, fields)
        if fields is not None and "user_data" not in fields:
            return line
        if row.user_data and row.owner_id != self.actor.user_id and not access.allows(self.actor, Right.VM_EDIT, row):
            return Raw(orjson.dumps(orjson.loads(bytes(line)) | {"user_data": MASK}))
        return line


class DriftView(ApiView):
    """Everything that the caller may see and that stands otherwise in its cluster, at most a hundred of each kind."""

    rights = {"get": Right.VM_VIEW}
    outs = {"get": serializers.DriftingPage}

    def get(self, request: Request) -> Response:
        found = drifting(self.actor)
        items = [line for lines in found.values() for line in lines[:MOST]]
        more = any(len(lines) > MOST for lines in found.values())
        return Response(serializers.DriftingPage({"items": items, "more": more}).data)


class UnmanagedView(ApiView):
    """Machines in a VDC's namespace that OVIM did not make, and what is measured there beside what is claimed."""

    rights = {"get": Right.VM_ORDER}
    outs = {"get": serializers.UnmanagedOut}

    def get(self, request: Request, pk: UUID) -> Response:
        vdc = access.get(self.actor, Vdc.objects.all(), pk, Right.VDC_VIEW)
        access.require(self.actor, Right.VM_ORDER, vdc)
        return Response(serializers.UnmanagedOut(unmanaged.look(vdc)).data)


class AdoptView(ApiView):
    """Adopt one of them. `?dry_run=true`: the row, the quota, what is written; nothing is changed."""

    rights = {"post": Right.VM_ADOPT}
    shapes = {"post": serializers.AdoptIn}
    outs = {"post": serializers.AdoptedOut}
    statuses = {"post": 201}
    versioned = False

    def post(self, request: Request, pk: UUID, name: str) -> Response:
        vdc = access.get(self.actor, Vdc.objects.select_related("organization"), pk, Right.VDC_VIEW)
        vm, found = adoption.adopt(actor=self.actor, vdc=vdc, name=name, **self.body())
        vm_row = VmViewSet.one.one(vm.pk, actor=self.actor, fields=None)
        taken = [str(ref) for ref in adoption.objects_of(vdc, found)]
        row = orjson.loads(bytes(vm_row)) | {"objects": taken, "as_is": list(found.as_is)}
        return Response(row, status=201)


def _without_aliases(body: dict[str, Any]) -> dict[str, Any]:
    """`memory: 2Gi` and `disk: 20Gi` are other ways to write memory_mib and disk_gib."""
    for alias, name in ALIASES.items():
        if alias in body:
            if name in body:
                raise Invalid.field(alias, "one_of", f"Give {alias} or {name}, not both.")
            body[name] = body.pop(alias)
    return body
