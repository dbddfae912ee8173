"""What the side panel of a machine has beside its facts: how it stands, and what happened last."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from core import access
from core.actor import Actor
from core.rights import Right
from tenancy.suspension import suspension_of
from tenancy.timeline import Wish, timeline
from vms.models import VirtualMachine
from vms.words import SENTENCES

LAST = 5


def fill(request: HttpRequest, pk: UUID) -> Mapping[str, Any]:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    vm = access.get(actor, VirtualMachine.objects.defer("user_data", "ssh_keys"), pk, Right.VM_VIEW)
    entries, _ = timeline(actor, vm, Wish(limit=LAST), SENTENCES)
    return {"vm": vm, "entries": entries, "suspended": suspension_of(actor, vm)}
