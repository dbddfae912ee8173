"""Pages that take clusters in, change them and let go of them: for the provider's people."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from clusters import fleet, forgetting
from clusters.access_input import access_of
from clusters.examine import Findings
from clusters.forms import AccessForm, ClusterEditForm, ClusterForm, ForgetForm
from clusters.kubeconfig import Access
from clusters.models import Cluster
from core import access
from core.enforce import needs
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import SureForm

MOST_NAMED = 20
REGISTER = (
    "Put OVIM’s definitions, roles and account there first: kubectl apply -f deploy/crds -f deploy/rbac -f deploy/account. "
    "The cluster is asked for all that OVIM needs before it is taken in."
)


def _page(cluster: Cluster | None, title: str, submit: str, **more: Any) -> Page:
    """Not live: trying it out would ask the cluster at each key."""
    crumbs, back = [("Clusters", reverse("cluster-list"))], reverse("cluster-list")
    if cluster is not None:
        back = reverse("cluster-detail", args=[cluster.pk])
        crumbs.append((cluster.name, back))
    return Page(title, "clusters", crumbs, submit, back, live=False, **more)


def _cluster(request: HttpRequest, pk: UUID) -> Cluster:
    actor = actor_of(request)
    cluster = access.get(actor, Cluster.objects.all(), pk, Right.CLUSTER_VIEW)
    access.require(actor, Right.CLUSTER_EDIT, cluster)
    return cluster


class _LookedOver:
    """What the cluster answered before the transaction, for the deed in it."""

    def __init__(self, request: HttpRequest, form: AccessForm) -> None:
        self.request, self.form = request, form
        self.given: dict[str, Any] = {}

    def look(self) -> None:
        where: Access
        where, field = access_of(self.form.access())
        found = fleet.look_over(actor=actor_of(self.request), access=where, field=field)
        self.given = {"access": where, "findings": found, "field": field}


@needs(Right.CLUSTER_EDIT)
@require_http_methods(FORM)
def cluster_create(request: HttpRequest) -> HttpResponse:
    form = ClusterForm(posted(request))
    looked = _LookedOver(request, form)

    def act() -> Done:
        given = form.given("name", "display_name", "is_default")
        cluster = fleet.register_cluster(actor=actor_of(request), **given, **looked.given)
        return Done(reverse("cluster-detail", args=[cluster.pk]), f"{cluster} is registered: VDCs can be made there.")

    page = _page(None, "Register a cluster", "Register", intro=REGISTER)
    return fill(request, page, form, act, before=looked.look)


@needs(Right.CLUSTER_EDIT)
@require_http_methods(FORM)
def cluster_access(request: HttpRequest, pk: UUID) -> HttpResponse:
    cluster = _cluster(request, pk)
    now = {"server": cluster.server, "ca": cluster.ca, "generation": cluster.generation}
    form = AccessForm(posted(request), initial=now)
    looked = _LookedOver(request, form)

    def act() -> Done:
        fleet.renew_access(actor=actor_of(request), cluster=cluster, generations=form.generations(), **looked.given)
        return Done(reverse("cluster-detail", args=[pk]), f"{cluster} is reached by what you gave from now on.")

    page = _page(cluster, f"Address and credential of {cluster}", "Renew")
    return fill(request, page, form, act, row=cluster, before=looked.look)


@needs(Right.CLUSTER_EDIT)
@require_http_methods(FORM)
def cluster_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    cluster = _cluster(request, pk)
    now = {name: getattr(cluster, name) for name in (*fleet.EDITABLE, *fleet.NAMING, "generation")}
    form = ClusterEditForm(posted(request), initial=now)

    def act() -> Done:
        fleet.edit_cluster(
            actor=actor_of(request),
            cluster=cluster,
            changes=form.given(*fleet.EDITABLE, *fleet.NAMING),
            generations=form.generations(),
        )
        return Done(reverse("cluster-detail", args=[pk]), f"{cluster} is changed.")

    return fill(request, _page(cluster, f"Edit {cluster}", "Save"), form, act, row=cluster)


@needs(Right.CLUSTER_EDIT)
@require_http_methods(FORM)
def cluster_check(request: HttpRequest, pk: UUID) -> HttpResponse:
    cluster = _cluster(request, pk)
    form = SureForm(posted(request))
    found: list[Findings | str] = []

    def act() -> Done:
        row = fleet.check_cluster(actor=actor_of(request), cluster=cluster, found=found[0])
        told = row.check_error or (f"It lacks {len(row.lacking)} rights." if row.lacking else "All is as it should be.")
        return Done(reverse("cluster-detail", args=[pk]), f"{cluster} was looked into. {told}")

    intro = "It is asked for its version, what it can do and what OVIM may do there. Nothing is changed in it."
    page = _page(cluster, f"Check {cluster} now?", "Check", intro=intro)
    return fill(request, page, form, act, before=lambda: found.append(fleet.look_again(cluster)))


@needs(Right.CLUSTER_EDIT)
@require_http_methods(FORM)
def cluster_drain(request: HttpRequest, pk: UUID) -> HttpResponse:
    cluster = _cluster(request, pk)
    form = SureForm(posted(request), initial={"generation": cluster.generation})

    def act() -> Done:
        fleet.drain_cluster(actor=actor_of(request), cluster=cluster, generations=form.generations())
        return Done(reverse("cluster-detail", args=[pk]), f"{cluster} takes no new VDCs, and is being left.")

    intro = "No new VDCs come, and organizations without VDCs there leave it. VDCs that are there stay."
    page = _page(cluster, f"Drain {cluster}?", "Drain", intro=intro, danger=True)
    return fill(request, page, form, act, row=cluster)


@needs(Right.CLUSTER_EDIT)
@require_http_methods(FORM)
def cluster_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    cluster = _cluster(request, pk)
    form = SureForm(posted(request), initial={"generation": cluster.generation})

    def act() -> Done:
        fleet.remove_cluster(actor=actor_of(request), cluster=cluster, generations=form.generations())
        return Done(reverse("cluster-list"), f"{cluster} is no cluster of OVIM’s any more.")

    left = forgetting.left_behind(cluster)["namespaces"]
    intro = "OVIM lets go of it; nothing is changed in it. While organizations are there it can’t be removed."
    page = _page(cluster, f"Remove {cluster}?", "Remove", intro=intro, danger=True)
    page.more = _held("Still there", left)
    return fill(request, page, form, act, row=cluster)


@needs(Right.CLUSTER_EDIT)
@require_http_methods(FORM)
def cluster_forget(request: HttpRequest, pk: UUID) -> HttpResponse:
    cluster = _cluster(request, pk)
    form = ForgetForm(posted(request), name=cluster.name)

    def act() -> Done:
        forgetting.forget_cluster(actor=actor_of(request), cluster=cluster, confirm=form.cleaned_data["confirm"])
        return Done(reverse("cluster-list"), f"{cluster} is forgotten. What was left in it is in the audit log.")

    left = forgetting.left_behind(cluster)
    counted = [f"{count} × {kind}" for kind, count in left["objects"].items()]
    intro = (
        "For a cluster that is lost for good. Its VDCs and virtual machines go from OVIM, with their disks’ records and "
        "what they hold of quotas; what is in the cluster stays there and is nobody’s. It can’t be undone."
    )
    page = _page(cluster, f"Forget {cluster}?", "Forget", intro=intro, danger=True)
    page.more = _held("What stays behind there", [*counted, *left["namespaces"]])
    return fill(request, page, form, act)


def _held(title: str, names: list[str]) -> dict[str, Any]:
    named = [(name, "") for name in names[:MOST_NAMED]]
    return {"held_title": title, "held": named, "held_more": max(len(names) - MOST_NAMED, 0)}
