"""Pages that make, change and remove organizations. Here rather than in tenancy, since their quota is vdcs'."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from core import access
from core.enforce import needs
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import NameForm, SureForm
from tenancy.forms import OrganizationEditForm
from tenancy.models import Organization
from tenancy.services import organizations
from vdcs import services
from vdcs.forms import NewOrganizationForm, QuotaForm, limits_of
from vdcs.meters import limit_meters
from vdcs.models import QuotaMode, Vdc
from vdcs.selectors import organization_usage

MOST_NAMED = 20


def _page(organization: Organization | None, title: str, submit: str, **more: Any) -> Page:
    crumbs, back = [("Organizations", reverse("organization-list"))], reverse("organization-list")
    if organization is not None:
        back = reverse("organization-detail", args=[organization.pk])
        crumbs.append((organization.name, back))
    return Page(title, "organizations", crumbs, submit, back, **more)


def _organization(request: HttpRequest, pk: UUID, right: Right) -> Organization:
    actor = actor_of(request)
    organization = access.get(actor, Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)
    access.require(actor, right, organization)
    return organization


@needs(Right.ORGANIZATION_CREATE)
@require_http_methods(FORM)
def organization_create(request: HttpRequest) -> HttpResponse:
    """With its quota, if any: both or neither."""
    actor = actor_of(request)
    form = NewOrganizationForm(posted(request), initial={"mode": QuotaMode.RESERVATION})

    def act() -> Done:
        organization = organizations.create_organization(
            actor=actor, **form.given("name", "display_name", "description")
        )
        if form.limits() or form.cleaned_data["mode"] != QuotaMode.RESERVATION:
            services.set_organization_quota(
                actor=actor, organization=organization, limits=form.limits(), mode=form.cleaned_data["mode"]
            )
        message = f"{organization} is being made. It needs an admin next: create a person in it."
        return Done(reverse("organization-detail", args=[organization.pk]), message)

    return fill(request, _page(None, "Create organization", "Create organization"), form, act)


@needs(Right.ORGANIZATION_EDIT)
@require_http_methods(FORM)
def organization_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    organization = _organization(request, pk, Right.ORGANIZATION_EDIT)
    fields = ("display_name", "description", "second_factor_required", "generation")
    now = {name: getattr(organization, name) for name in fields}
    form = OrganizationEditForm(posted(request), initial=now)

    def act() -> Done:
        organizations.edit_organization(
            actor=actor_of(request),
            organization=organization,
            changes=form.given("display_name", "description", "second_factor_required"),
            generations=form.generations(),
        )
        return Done(reverse("organization-detail", args=[pk]), f"{organization} is changed.")

    return fill(request, _page(organization, f"Edit {organization}", "Save"), form, act, row=organization)


@needs(Right.ORGANIZATION_EDIT)
@require_http_methods(FORM)
def organization_quota(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The provider's: what an organization may have it does not set itself."""
    organization = _organization(request, pk, Right.ORGANIZATION_EDIT)
    access.require_system(actor_of(request), Right.ORGANIZATION_EDIT)
    usage = organization_usage(pk)
    now = limits_of(usage["limits"]) | {"mode": usage["mode"], "generation": usage["generation"]}
    form = QuotaForm(posted(request), initial=now)

    def act() -> Done:
        services.set_organization_quota(
            actor=actor_of(request),
            organization=organization,
            limits=form.limits(),
            generations=form.generations(),
            **form.given("mode", "allow_below_use"),
        )
        return Done(reverse("organization-detail", args=[pk]), f"The quota of {organization} is changed.")

    def plan() -> Mapping[str, Any]:
        mode = form["mode"].value()
        after = form.limits(usage["limits"]) if form.is_bound else usage["limits"]
        binds, word = ("reserved", "reserved") if mode == QuotaMode.RESERVATION else ("used", "in use")
        return {"limits": limit_meters(usage[binds], usage["limits"], after), "counted": word}

    page = _page(organization, f"Quota of {organization}", "Save quota")
    return fill(request, page, form, act, row=organization, plan=plan)


@needs(Right.ORGANIZATION_EDIT)
@require_http_methods(FORM)
def organization_disable(request: HttpRequest, pk: UUID) -> HttpResponse:
    intro = "Its people are out at once and can do nothing. What runs goes on running; nothing is deleted."
    return _switch(request, pk, on=False, intro=intro)


@needs(Right.ORGANIZATION_EDIT)
@require_http_methods(FORM)
def organization_enable(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _switch(request, pk, on=True, intro="Its people can sign in again, with the roles they had.")


def _switch(request: HttpRequest, pk: UUID, *, on: bool, intro: str) -> HttpResponse:
    organization = _organization(request, pk, Right.ORGANIZATION_EDIT)
    access.require_system(actor_of(request), Right.ORGANIZATION_EDIT)
    form = SureForm(posted(request), initial={"generation": organization.generation})

    def act() -> Done:
        organizations.edit_organization(
            actor=actor_of(request),
            organization=organization,
            changes={"enabled": on},
            generations=form.generations(),
        )
        where = reverse("organization-detail", args=[pk])
        return Done(where, f"{organization} is {'enabled' if on else 'disabled'}.")

    verb = "Enable" if on else "Disable"
    page = _page(organization, f"{verb} {organization}?", verb, intro=intro, danger=not on, live=False)
    return fill(request, page, form, act, row=organization)


@needs(Right.ORGANIZATION_DELETE)
@require_http_methods(FORM)
def organization_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    organization = _organization(request, pk, Right.ORGANIZATION_DELETE)
    form = NameForm(posted(request), name=organization.name, initial={"generation": organization.generation})

    def act() -> Done:
        organizations.delete_organization(
            actor=actor_of(request), organization=organization, generations=form.generations()
        )
        return Done(reverse("organization-list"), f"{organization} is being deleted.")

    vdcs = Vdc.objects.filter(organization=organization).order_by("name")
    intro = "Its people and their roles go with it. It can’t be undone. While it has VDCs it can’t be deleted."
    page = _page(organization, f"Delete {organization}?", "Delete", intro=intro, danger=True, live=False)
    page.more = {
        "held_title": "Delete these VDCs first",
        "held": [
            (vdc.name, reverse("vdc-detail", args=[vdc.pk]))
            for vdc in access.visible(actor_of(request), vdcs, Right.VDC_VIEW)[:MOST_NAMED]
        ],
    }
    return fill(request, page, form, act, row=organization)
