"""Whose a VM is, and whose it becomes when its owner goes. Called by tenancy, by the name in settings."""

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from clusters import queue
from core import access, audit, tenants
from core.actor import Actor
from core.errors import Conflict, FieldError
from core.rights import Right
from tenancy.models import User
from tenancy.selectors import actor_of_user
from vms.models import VirtualMachine

MOST_NAMED = 20


def owned(user: User) -> QuerySet[VirtualMachine]:
    return VirtualMachine.objects.filter(owner=user).select_related("vdc").order_by("id")


def hand_over(*, actor: Actor, user: User, heir: User | None) -> int:
    """Inside the transaction in which the owner goes: his VMs are the heir's now. How many there were.

    Refused, naming them, if there is no heir, or one who could not see what he is given.
    """
    with tenants.everything():  # also those that the actor may not see: they are what it is refused for
        found = list(owned(user).select_for_update(of=("self",), no_key=True))
    if not found:
        return 0
    ids = [vm.pk for vm in found]
    known = access.visible(actor, VirtualMachine.objects.filter(pk__in=ids), Right.VM_EDIT)
    if len(known.values_list("pk")) < len(found):
        raise Conflict(f"{user} owns virtual machines where you have no say: a system admin can do this.")
    if heir is None:
        message = f"{user} owns {_listed(found)}: name an heir, or delete them first."
        raise Conflict(message, errors=[FieldError("heir", "required", message)])
    VirtualMachine.objects.filter(pk__in=ids).update(owner=heir, generation=F("generation") + 1, updated_at=Now())
    _check_reach(heir, found)
    for vm in found:
        vm.owner = heir
        audit.record(actor, "vm.hand_over", vm, before={"owner": user.username}, after={"owner": heir.username})
    queue.request_all(found)
    return len(found)


def _check_reach(heir: User, vms: list[VirtualMachine]) -> None:
    """As he would see them: a machine whose owner has no role there is nobody's to look after."""
    heirs = actor_of_user(heir.pk)
    mine = VirtualMachine.objects.filter(pk__in=[vm.pk for vm in vms])
    seen = set(access.visible(heirs, mine, Right.VM_VIEW).values_list("pk", flat=True)) if heirs else set()
    unseen = [vm for vm in vms if vm.pk not in seen]
    if unseen:
        message = (
            f"{heir} has no role where these are: {_listed(unseen)}. Give a role there first, or name another heir."
        )
        raise Conflict(message, errors=[FieldError("heir", "role", message)])


def _listed(vms: list[VirtualMachine]) -> str:
    names = ", ".join(f"{vm.vdc}/{vm}" for vm in vms[:MOST_NAMED])
    more = f" and {len(vms) - MOST_NAMED} more" if len(vms) > MOST_NAMED else ""
    return f"{len(vms)} virtual machine{'s' if len(vms) != 1 else ''} ({names}{more})"
