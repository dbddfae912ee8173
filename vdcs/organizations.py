"""Pages that make, change and remove organizations. Here rather than in tenancy, since their quota is vdcs'."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from core import access
from core.enforce import needs
from core.errors import Conflict, Invalid
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import NameForm, SureForm
from tenancy import branding, brands
from tenancy.forms import LogoForm, OrganizationDisableForm, OrganizationEditForm
from tenancy.models import Organization
from tenancy.services import lifecycle, logos, organizations
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
    fields = [name for name in organizations.EDITABLE if name in OrganizationEditForm.base_fields]
    now = {name: getattr(organization, name) for name in (*fields, "generation")}
    form = OrganizationEditForm(posted(request), initial=now)

    def act() -> Done:
        organizations.edit_organization(
            actor=actor_of(request),
            organization=organization,
            changes=form.given(*fields),
            generations=form.generations(),
        )
        return Done(reverse("organization-detail", args=[pk]), f"{organization} is changed.")

    return fill(request, _page(organization, f"Settings of {organization}", "Save"), form, act, row=organization)


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
    organization = _of_the_provider(request, pk)
    form = OrganizationDisableForm(posted(request), initial={"generation": organization.generation})

    def act() -> Done:
        lifecycle.disable(
            actor=actor_of(request),
            organization=organization,
            vms=form.cleaned_data["vms"],
            generations=form.generations(),
        )
        return Done(reverse("organization-detail", args=[pk]), f"{organization} is disabled.")

    intro = "Its people are out at once and can do nothing in it. Nothing is deleted."
    page = _page(organization, f"Disable {organization}?", "Disable", intro=intro, danger=True, live=False)
    return fill(request, page, form, act, row=organization)


@needs(Right.ORGANIZATION_EDIT)
@require_http_methods(FORM)
def organization_enable(request: HttpRequest, pk: UUID) -> HttpResponse:
    intro = "Its people can sign in again, with the roles they had. Nothing is started."
    return _sure(request, pk, "Enable", intro, lifecycle.enable)


@needs(Right.ORGANIZATION_DELETE)
@require_http_methods(FORM)
def organization_undo(request: HttpRequest, pk: UUID) -> HttpResponse:
    intro = "It stays, enabled if it was so before. What was stopped stays so until somebody starts it."
    return _sure(request, pk, "Undo the deletion of", intro, lifecycle.undo_deletion)


def _of_the_provider(request: HttpRequest, pk: UUID) -> Organization:
    organization = _organization(request, pk, Right.ORGANIZATION_EDIT)
    access.require_system(actor_of(request), Right.ORGANIZATION_EDIT)
    return organization


def _sure(request: HttpRequest, pk: UUID, verb: str, intro: str, act_on: Callable[..., Organization]) -> HttpResponse:
    organization = _of_the_provider(request, pk)
    form = SureForm(posted(request), initial={"generation": organization.generation})

    def act() -> Done:
        changed = act_on(actor=actor_of(request), organization=organization, generations=form.generations())
        state = "enabled" if changed.enabled else "disabled"
        return Done(reverse("organization-detail", args=[pk]), f"{organization} is {state} now.")

    page = _page(organization, f"{verb} {organization}?", verb.partition(" ")[0], intro=intro, live=False)
    return fill(request, page, form, act, row=organization)


@needs(Right.ORGANIZATION_EDIT)
@require_http_methods(FORM)
def organization_logo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The picture: another one, or none."""
    organization = _organization(request, pk, Right.ORGANIZATION_EDIT)
    removing = "remove" in request.POST
    form = LogoForm(request.POST, request.FILES) if request.method == "POST" and not removing else LogoForm()
    status = 200
    if request.method == "POST" and (removing or form.is_valid()):
        try:
            data = None if removing else form.cleaned_data["logo"].read(branding.LARGEST + 1)
            logos.set_logo(actor=actor_of(request), organization=organization, data=data)
        except (Conflict, Invalid) as refusal:
            form = form if form.is_bound else LogoForm({})
            form.full_clean()
            form.add_error(None if removing else "logo", refusal.message)
            status = 409 if isinstance(refusal, Conflict) else 422
        else:
            messages.success(request, "The logo is gone." if removing else "The logo is changed.")
            return HttpResponseRedirect(reverse("organization-logo-page", args=[pk]))
    brand = brands.brand_named(organization.name)
    page = {
        "section": "organizations",
        "organization": organization,
        "form": form,
        "shown": brand.logo if brand else "",
    }
    status = 422 if form.is_bound and form.errors and status == 200 else status
    return render(request, "tenancy/logo.html", page, status=status)


@needs(Right.ORGANIZATION_DELETE)
@require_http_methods(FORM)
def organization_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """At once where nothing is in it; else with all that is, after a time in which it can be undone."""
    organization = _organization(request, pk, Right.ORGANIZATION_DELETE)
    vdcs = Vdc.objects.filter(organization=organization).order_by("name")
    held = access.visible(actor_of(request), vdcs, Right.VDC_VIEW)
    filled = held.exists() or organization.catalogs.exists()
    form = NameForm(posted(request), name=organization.name, initial={"generation": organization.generation})

    def act() -> Done:
        actor, generations = actor_of(request), form.generations()
        if filled:
            gone = lifecycle.schedule_deletion(
                actor=actor,
                organization=organization,
                confirm=form.cleaned_data["confirm"].strip(),
                generations=generations,
            )
            at = f"{gone.deletion_due_at:%Y-%m-%d %H:%M} UTC"
            return Done(reverse("organization-detail", args=[pk]), f"{organization} goes at {at}. It is disabled now.")
        organizations.delete_organization(actor=actor, organization=organization, generations=generations)
        return Done(reverse("organization-list"), f"{organization} is being deleted.")

    days = settings.OVIM_DELETION_GRACE_DAYS
    intro = "Its people and their roles go with it. It can’t be undone."
    if filled:
        intro = (
            f"It is disabled now and all that runs in it is stopped. In {days} day{'' if days == 1 else 's'} it goes for good, "
            "with its people, their roles, its VDCs, machines, disks and catalogs; until then it can be undone."
        )
    page = _page(organization, f"Delete {organization}?", "Delete", intro=intro, danger=True, live=False)
    page.more = {
        "held_title": "What goes with it",
        "held": [(vdc.name, reverse("vdc-detail", args=[vdc.pk])) for vdc in held[:MOST_NAMED]],
        "held_more": max(held.count() - MOST_NAMED, 0),
    }
    return fill(request, page, form, act, row=organization)
