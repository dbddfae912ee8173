"""The page of who may do what with one VM."""

from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from core import access
from core.enforce import needs
from core.rights import Right
from core.ui.filling import FORM, Page, actor_of
from tenancy.access import covers
from tenancy.roles import IN_A_VM
from vdcs import roles
from vms.models import VirtualMachine


@needs(Right.BINDING_VIEW)
@require_http_methods(FORM)
def vm_people(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Who has a role here: for the VM itself, in its VDC, or in the whole organization."""
    actor = actor_of(request)
    vm = access.get(actor, VirtualMachine.objects.select_related("vdc__organization"), pk, Right.VM_VIEW)
    home = vm.vdc.organization
    may = covers(actor, roles.GIVES, home.pk, vm.vdc_id, pk) and vm.deletion_requested_at is None
    places = [(f"vm:{pk}", f"{home.name} / {vm.vdc.name} / {vm.name}")] if may else []
    back = reverse("vm-detail", args=[pk])
    crumbs = [("Virtual machines", reverse("vm-list")), (vm.name, back)]
    page = Page(f"People and access to {vm}", "vms", crumbs, "Give the role", back)
    below = Q(organization=home, vdc_id=None) | Q(vdc_id=vm.vdc_id, vm_id=None) | Q(vm_id=pk)
    return roles.give(request, page, places, below, home=home, within=IN_A_VM)
