"""Pages of machines that OVIM did not make: a VDC's list of them with what is measured, and adopting one."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.views.decorators.http import require_http_methods, require_safe

from core import access
from core.actor import Actor
from core.enforce import needs
from core.errors import Conflict, DomainError, Invalid, QuotaExceeded, Unavailable
from core.ids import uuids_in
from core.rights import Right
from core.trial import trial
from core.ui.amounts import amount, resource
from vdcs.models import Vdc
from vms import adoption, unmanaged
from vms.models import Disk

REFUSALS = (Conflict, Invalid, QuotaExceeded, Unavailable)


def _vdc(request: HttpRequest, pk: UUID) -> tuple[Actor, Vdc]:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    vdc = access.get(actor, Vdc.objects.select_related("organization"), pk, Right.VDC_VIEW)
    access.require(actor, Right.VM_ORDER, vdc)
    return actor, vdc


@needs(Right.VM_ORDER)
@require_safe
def vdc_unmanaged(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor, vdc = _vdc(request, pk)
    seen = unmanaged.look(vdc)
    page = {
        "section": "vdcs",
        "vdc": vdc,
        "seen": seen,
        "measures": [_measure(item) for item in seen.measures],
        "may_adopt": vdc.deletion_requested_at is None and access.allows(actor, Right.VM_ADOPT, vdc),
    }
    return render(request, "vms/unmanaged.html", page)


def _measure(item: unmanaged.Measure) -> tuple[str, list[str]]:
    """What it is of, and its numbers as people read them."""
    numbers = (item.limit, item.claimed, item.measured, item.unmanaged)
    return resource(item.resource), ["—" if value is None else amount(value, item.resource) for value in numbers]


@needs(Right.VM_ADOPT)
@require_http_methods(["GET", "HEAD", "POST"])
def vm_adopt(request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
    """GET: the plan, tried out and rolled back. POST: the very machine that was shown is adopted."""
    actor, vdc = _vdc(request, pk)
    uid = next(iter(uuids_in(request.POST.get("uid", ""), 1)), None)
    page: dict[str, Any] = {"section": "vdcs", "vdc": vdc, "name": name}
    try:
        if request.method == "POST" and uid is not None:
            vm, _ = adoption.adopt(actor=actor, vdc=vdc, name=name, uid=uid)
            messages.success(request, f"{vm} is OVIM’s now. It runs on as it is.")
            return HttpResponseRedirect(resolve_url("vm-detail", vm.pk))
        with trial():
            vm, found = adoption.adopt(actor=actor, vdc=vdc, name=name)
            page |= {"vm": vm, "disks": list(Disk.objects.filter(vm=vm).order_by("position"))}
        page |= {"found": found, "objects": adoption.objects_of(vdc, found), "uid": found.live["metadata"]["uid"]}
    except REFUSALS as refusal:
        return _refused(request, page, refusal)
    return render(request, "vms/adopt.html", page)


def _refused(request: HttpRequest, page: dict[str, Any], refusal: DomainError) -> HttpResponse:
    status = 503 if isinstance(refusal, Unavailable) else 422
    return render(request, "vms/adopt.html", page | {"refusal": refusal}, status=status)
