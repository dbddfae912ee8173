"""Pages of VMs: one view each for the page and its fragments. Verbs call the services that the API calls."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render, resolve_url
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from catalogs.models import CatalogItem
from clusters.reach import unseen_since
from core import access
from core.actor import Actor
from core.enforce import needs
from core.errors import Conflict, DomainError, Invalid, QuotaExceeded
from core.listing.answer import answer
from core.rights import Right
from core.ui.filling import Done, once
from core.ui.ways import target
from tenancy.pages import story_of
from tenancy.suspension import suspension_of
from vdcs.meters import meters
from vdcs.models import Vdc
from vdcs.selectors import limited_classes, usage
from vms import orders, plan, services
from vms.forms import OrderForm, VmForm
from vms.listings import VMS, rows
from vms.models import Disk, PowerState, VirtualMachine
from vms.words import SENTENCES

REFUSALS = (Conflict, Invalid, QuotaExceeded)  # of a verb, shown where it was asked for


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    return actor


def _rows() -> QuerySet[VirtualMachine]:
    return rows().select_related("vdc", "organization", "owner").annotate(unseen_since=unseen_since("vdc__cluster"))


def _vdcs(actor: Actor, right: Right) -> list[Vdc]:
    found = (
        Vdc.objects.select_related("organization", "quota")
        .filter(quota__isnull=False)
        .order_by("organization__name", "name")
    )
    return list(access.visible(actor, found, right)[:200])


@needs(Right.VM_VIEW)
@require_GET
def vm_list(request: HttpRequest) -> HttpResponse:
    return answer(request, VMS)


@needs(Right.VM_VIEW)
@require_GET
def vm_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _detail(request, access.get(_actor(request), _rows(), pk, Right.VM_VIEW))


def _detail(request: HttpRequest, vm: VirtualMachine, refusal: DomainError | None = None) -> HttpResponse:
    actor = _actor(request)
    disks = list(access.visible(actor, Disk.objects.filter(vm=vm).order_by("position"), Right.VM_VIEW))
    page = {
        "section": "vms",
        "vm": vm,
        "disks": disks,
        "inside": vm.organization.name,
        "offers": orders.offers(vm, disks) if access.allows(actor, Right.VM_ORDER, vm) else [],
        "story": story_of(request, vm, SENTENCES),
        "refusal": refusal,
        "suspended": suspension_of(actor, vm),
        "may_see_roles": actor.holds(Right.BINDING_VIEW),
        "may_edit": vm.deletion_requested_at is None and access.allows(actor, Right.VM_EDIT, vm),
        "may_power": vm.deletion_requested_at is None and access.allows(actor, Right.VM_POWER, vm),
        "may_delete": vm.deletion_requested_at is None and access.allows(actor, Right.VM_DELETE, vm),
    }
    template = "vms/detail.html#live" if request.headers.get("HX-Request") else "vms/detail.html"
    answer = render(request, template, page, status=422 if refusal else 200)
    patch_vary_headers(answer, ["HX-Request"])
    return answer


@needs(Right.VM_POWER)
@require_POST
def vm_power(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = _actor(request)
    vm = access.get(actor, _rows(), pk, Right.VM_VIEW)
    on = request.POST.get("state") == PowerState.ON
    try:
        services.set_power(actor=actor, vm=vm, on=on)
    except REFUSALS as refusal:
        return _detail(request, vm, refusal)
    messages.success(request, f"{vm} has been told to {'start' if on else 'stop'}.")
    return HttpResponseRedirect(target(request) if "next" in request.POST else resolve_url("vm-detail", vm.pk))


@needs(Right.VM_ORDER)
@require_POST
def vm_order(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = _actor(request)
    vm = access.get(actor, _rows(), pk, Right.VM_VIEW)
    form = OrderForm(request.POST)
    if not form.is_valid():
        return _detail(request, vm, Invalid("That is no order."))
    given = form.cleaned_data
    disk = Disk.objects.filter(vm=vm, pk=given["disk"]).first() if given["disk"] else None
    try:
        orders.give(actor=actor, vm=vm, order=given["order"], disk=disk, confirm=given["confirm"].strip())
    except REFUSALS as refusal:
        return _detail(request, vm, refusal)
    messages.success(request, f"The order about {vm} has been taken.")
    return HttpResponseRedirect(resolve_url("vm-detail", vm.pk))


@needs(Right.VM_DELETE)
@require_http_methods(["GET", "HEAD", "POST"])
def vm_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """GET: what is lost, for browsers without scripts; the detail page has the same in a dialog."""
    actor = _actor(request)
    vm = access.get(actor, _rows(), pk, Right.VM_VIEW)
    if request.method != "POST":
        return render(request, "vms/delete.html", {"section": "vms", "vm": vm, "disks": list(vm.disks.all())})
    services.delete_vm(actor=actor, vm=vm)
    messages.success(request, f"{vm} is being deleted.")
    return HttpResponseRedirect(resolve_url("vm-list"))


@needs(Right.VM_CREATE)
@require_http_methods(["GET", "HEAD", "POST"])
def vm_create(request: HttpRequest) -> HttpResponse:
    """The form. Each change of a field asks with HX-Request: the plan comes back, nothing is made."""
    actor = _actor(request)
    items = CatalogItem.objects.filter(image__isnull=False, catalog__enabled=True).select_related("catalog", "image")
    offered: dict[str, Any] = {
        "vdcs": _vdcs(actor, Right.VM_CREATE),
        "items": access.visible(actor, items.order_by("display_name", "pk"), Right.CATALOG_VIEW)[:100],
        "classes": limited_classes,
    }
    if request.method != "POST":
        first = next(iter(offered["vdcs"]), None)
        given = {"vdc": first and first.pk} | {
            name: request.GET[name] for name in ("vdc", "catalog_item") if name in request.GET
        }
        return _form(request, VmForm(initial=given, **offered))
    form = VmForm(_posted(request), **offered)
    typing = bool(request.headers.get("HX-Request"))
    only = typing or "way" in request.POST
    refusal: DomainError | None = None
    if form.is_valid():
        try:
            if not only:
                return once(request, form, lambda: _made(actor, form))
            plan.attempt(actor, form.wish(), only=True)
        except plan.REFUSALS as error:
            refusal = error
    ways = plan.ways_out(actor, form, refusal)
    _place_errors(form, refusal)
    return _form(request, form, refusal, ways=ways, planning=typing)


def _made(actor: Actor, form: VmForm) -> Done:
    vm = plan.attempt(actor, form.wish(), only=False)
    return Done(resolve_url("vm-detail", vm.pk), f"{vm} is being made.")


def _posted(request: HttpRequest) -> QueryDict:
    """What was filled in; a way out that was pressed has changed some of it."""
    given = request.POST.copy()
    for name, value in QueryDict(request.POST.get("way", "")[:2000]).items():
        given[name] = str(value)
    return given


def _place_errors(form: VmForm, refusal: DomainError | None) -> None:
    """A refusal that names a field is shown at that field."""
    for error in refusal.errors if refusal else ():
        field = error.field.partition("[")[0].partition(".")[0]
        form.add_error(field if field in form.fields else None, error.message)


def _form(
    request: HttpRequest,
    form: VmForm,
    refusal: DomainError | None = None,
    *,
    ways: Sequence[plan.Way] = (),
    planning: bool = False,
) -> HttpResponse:
    vdc = form.chosen("vdc")
    sizes = form.sizes()
    added = {**sizes, "vms": 1, "running_vms": 1}
    page: dict[str, Any] = {
        "section": "vms",
        "form": form,
        "vdc": vdc,
        "item": form.chosen("catalog_item"),
        "meters": meters(usage(vdc), added if sizes else None) if vdc else [],
        # While somebody types, a field he has not come to yet is not wrong; errors of what he typed are.
        "errors": [field for field in form.visible_fields() if field.errors and (field.value() or not planning)],
        "refusal": refusal if refusal and not refusal.errors else None,
        "remedies": ways,
        "fits": form.is_bound and not form.errors and refusal is None,
        "planning": planning,
        # Another VDC was picked: its storage classes come with the plan. Otherwise the field is left under the hand.
        "moved": planning and vdc is not None and form.data.get("storage_of") != str(vdc.pk),
    }
    bad = form.is_bound and not page["fits"] and not planning
    answer = render(request, "vms/new.html#plan" if planning else "vms/new.html", page, status=422 if bad else 200)
    answer["Cache-Control"] = "no-store"  # each page has a key of its own
    return answer
