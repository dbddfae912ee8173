"""Pages of clusters: can this one carry us?"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from clusters.listings import CLUSTERS, capability_lines
from clusters.models import Cluster, WorkItem
from core import access
from core.enforce import needs
from core.listing.answer import answer
from core.rights import Right

COUNTED = 1000


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
    }
    return render(request, "clusters/detail.html", page)
