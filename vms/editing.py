"""The page that changes a machine: its effect is told before it is made. The service is the one that the API calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from core import access
from core.enforce import needs
from core.rights import Right
from core.ui.amounts import amount, resource
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from vdcs.meters import meters
from vdcs.selectors import usage
from vms import selectors, services
from vms.forms import VmEditForm, typed_size
from vms.models import PowerState, VirtualMachine


@dataclass(frozen=True)
class Change:
    """A line of the plan. `stopped`: it is made only while the machine is stopped."""

    label: str
    before: str
    after: str
    stopped: bool = False


@needs(Right.VM_EDIT)
@require_http_methods(FORM)
def vm_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = actor_of(request)
    vm = access.get(actor, VirtualMachine.objects.select_related("vdc__organization"), pk, Right.VM_VIEW)
    access.require(actor, Right.VM_EDIT, vm)
    back = reverse("vm-detail", args=[pk])
    now: dict[str, Any] = {name: getattr(vm, name) for name in ("display_name", "description", "generation")}
    now |= {name: typed_size(name, getattr(vm, name)) for name in services.SIZES}
    form = VmEditForm(posted(request), initial=now)

    def act() -> Done:
        services.edit_vm(actor=actor, vm=vm, changes=form.changes(), generations=form.generations())
        return Done(back, f"{vm} is changed.")

    page = Page(
        f"Edit {vm}", "vms", [("Virtual machines", reverse("vm-list")), (vm.name, back)], "Save changes", back,
        more={"vm": vm, "plan_part": "vms/edit_plan.html"},
    )  # fmt: skip
    return fill(request, page, form, act, row=vm, plan=lambda: _plan(vm, form))


def _plan(vm: VirtualMachine, form: VmEditForm) -> Mapping[str, Any]:
    """What would become of it, as far as what is typed can be read."""
    given = {name: value for name, value in form.changes().items() if value != getattr(vm, name)}
    added = {name: given[name] - getattr(vm, name) for name in services.SIZES if name in given}
    runs = vm.power_state == PowerState.ON or selectors.holds_active(vm)
    return {
        "changes": [_change(vm, name, value) for name, value in given.items()],
        "stop_first": runs,
        "meters": [meter for meter in meters(usage(vm.vdc), added) if meter.resource in services.SIZES],
        "meters_title": "Quota before → after" if added else "Quota",
    }


def _change(vm: VirtualMachine, name: str, value: Any) -> Change:
    before = getattr(vm, name)
    if name in services.SIZES:
        return Change(resource(name), amount(before, name), amount(value, name), stopped=True)
    return Change(str(VmEditForm.base_fields[name].label), before or "nothing", value or "nothing")
