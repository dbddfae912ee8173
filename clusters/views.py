"""Pages of clusters: can this one carry us?"""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.views.decorators.http import require_GET, require_POST

from clusters import along, orphans
from clusters.listings import CLUSTERS, capability_lines
from clusters.models import Cluster, Orphan, WorkItem
from core import access
from core.enforce import needs
from core.errors import Conflict, DomainError, Invalid
from core.listing.answer import answer
from core.rights import Right

COUNTED = 1000
MOST_UNBOUND = 10


@needs(Right.CLUSTER_VIEW)
@require_GET
def cluster_list(request: HttpRequest) -> HttpResponse:
    return answer(request, CLUSTERS)


@needs(Right.CLUSTER_VIEW)
@require_GET
def cluster_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    cluster = access.get(actor, Cluster.objects.defer("credential", "ca"), pk, Right.CLUSTER_VIEW)
    work = WorkItem.objects.filter(cluster=cluster)
    failing = work.exclude(last_error="").order_by("-attempts")[:10]
    page = {
        "section": "clusters",
        "cluster": cluster,
        "waiting": work.filter(due_at__isnull=False)[: COUNTED + 1].count(),
        "most": COUNTED,
        "failing": list(failing),
        "capabilities": capability_lines(cluster.capabilities),
        "classes": cluster.capabilities.get("storage_classes", ()),
        "may_edit": actor.holds(Right.CLUSTER_EDIT),
        "unbound": along.in_trouble_on(cluster.pk, MOST_UNBOUND) if cluster.tenant_access else (),
    }
    return render(request, "clusters/detail.html", page)


@needs(Right.CLUSTER_VIEW)
@require_GET
def cluster_orphans(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What carries our label there and has no row."""
    actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    cluster = access.get(actor, Cluster.objects.defer("credential", "ca"), pk, Right.CLUSTER_VIEW)
    return _orphans(request, cluster)


def _orphans(request: HttpRequest, cluster: Cluster, refusal: DomainError | None = None) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    found = list(Orphan.objects.filter(cluster=cluster).order_by("first_seen_at", "pk")[: COUNTED + 1])
    page = {
        "section": "clusters",
        "cluster": cluster,
        "orphans": [(row, orphans.ref_of(row).type.data) for row in found[:COUNTED]],
        "more": len(found) > COUNTED,
        "may_order": actor.holds(Right.ENGINE_OPERATE),
        "refusal": refusal,
    }
    return render(request, "clusters/orphans.html", page, status=422 if refusal else 200)


@needs(Right.ENGINE_OPERATE)
@require_POST
def cluster_audit(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    cluster = access.get(actor, Cluster.objects.defer("credential", "ca"), pk, Right.CLUSTER_VIEW)
    messages.success(request, orphans.request_look(actor=actor, cluster=cluster))
    return HttpResponseRedirect(resolve_url("cluster-orphans", pk))


@needs(Right.ENGINE_OPERATE)
@require_POST
def orphan_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """An order for this very object; what may hold data wants its name typed."""
    actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    orphan = access.get(actor, Orphan.objects.select_related("cluster"), pk, Right.CLUSTER_VIEW)
    try:
        orphans.delete_orphan(actor=actor, orphan=orphan, confirm=request.POST.get("confirm", "").strip())
    except (Conflict, Invalid) as refusal:
        return _orphans(request, orphan.cluster, refusal)
    messages.success(request, f"{orphan} is deleted as soon as a worker has looked at it.")
    return HttpResponseRedirect(resolve_url("cluster-orphans", orphan.cluster_id))
