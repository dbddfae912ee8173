"""The page of one verb on many VMs: the plan, then what came of each. From the list's bulk bar."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_POST

from core import access
from core.actor import Actor
from core.enforce import needs
from core.errors import Forbidden, Invalid
from core.listing import matching
from core.listing.page import selected
from core.rights import Right
from vms import bulk
from vms.listings import VMS, rows
from vms.models import VirtualMachine


@needs(Right.VM_VIEW)
@require_POST
def vm_bulk(request: HttpRequest) -> HttpResponse:
    """`ids`, or `all`: the token of a query. Without `sure` nothing is done: the plan is shown, which sends it on.

    What is then done is what was shown (`seen`); where that has changed meanwhile, the plan comes once more.
    """
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    verb = request.POST.get("verb", "")
    known = next((item for item in VMS.verbs if item.key == verb), None)
    if known is None:
        raise Invalid.field("verb", "choice", f"A verb is one of {', '.join(item.key for item in VMS.verbs)}.")
    if not actor.holds(known.right):
        raise Forbidden(known.right, "virtual machines")
    token = request.POST.get("all", "")
    plan = bulk.plan(actor, verb, _chosen(request, actor, token))
    page: dict[str, Any] = {"section": "vms", "verb": known, "plan": plan, "token": token, "query": _back(request)}
    seen = request.POST.get("seen", "")
    if "sure" not in request.POST or (seen and seen != plan.digest):
        return render(request, "vms/bulk_plan.html", page | {"changed": bool(seen)})
    results = bulk.run(actor, verb, plan.applies)
    page["failed"] = [result for result in results if result.refusal]
    page["done"] = [result for result in results if not result.refusal]
    return render(request, "vms/bulk.html", page)


def _chosen(request: HttpRequest, actor: Actor, token: str) -> QuerySet[VirtualMachine]:
    if token:
        found = matching.rows(request, VMS, token)
        own = rows().filter(pk__in=found.order_by().values("pk"))
    else:
        own = rows().filter(pk__in=selected(request, matching.MOST))
    seen = access.visible(actor, own, Right.VM_VIEW)
    return seen.select_related("vdc", "organization").prefetch_related("disks").defer("user_data", "ssh_keys")


def _back(request: HttpRequest) -> str:
    """The list as it was left: only its query is taken from the form, never an address."""
    return QueryDict(request.POST.get("query", "")[:2000]).urlencode()
