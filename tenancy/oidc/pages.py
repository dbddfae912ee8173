"""Pages of identity providers and their rules."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from core import access
from core.actor import Actor, Level
from core.enforce import needs
from core.errors import Invalid, NotFound, Unavailable
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import NameForm, SureForm
from tenancy.forms import PROVIDER
from tenancy.models import Organization, Role, RoleName
from tenancy.oidc.forms import PasteForm, ProviderEditForm, ProviderForm, RuleForm
from tenancy.oidc.library import callback_of
from tenancy.oidc.onward import signed_out_address
from tenancy.oidc.rows import GroupRule, IdentityProvider
from tenancy.services import identity_providers, provider_preview, provider_roles
from tenancy.services.identity_providers import EDITABLE
from tenancy.services.provider_roles import Place

MOST_OPTIONS = 200
SHOWN = 200
GONE = "a VDC that is gone"


def _provider(request: HttpRequest, pk: UUID) -> IdentityProvider:
    rows = IdentityProvider.objects.select_related("organization")
    return access.get(actor_of(request), rows, pk, Right.IDENTITY_PROVIDER_VIEW)


def _page(provider: IdentityProvider | None, title: str, submit: str, **more: Any) -> Page:
    back = reverse("identity-provider-list-page")
    crumbs = [("Identity providers", back)]
    if provider is not None:
        back = reverse("identity-provider-page", args=[provider.pk])
        crumbs.append((provider.display_name, back))
    return Page(title, "identity-providers", crumbs, submit, back, **more)


def _system(actor: Actor) -> bool:
    return any(grant.level is Level.SYSTEM for grant in actor.grants_of(Right.IDENTITY_PROVIDER_EDIT))


@needs(Right.IDENTITY_PROVIDER_VIEW)
@require_safe
def provider_list(request: HttpRequest) -> HttpResponse:
    rows = IdentityProvider.objects.select_related("organization").order_by("organization__name", "name")
    seen = access.visible(actor_of(request), rows, Right.IDENTITY_PROVIDER_VIEW)
    return render(request, "tenancy/providers.html", {"section": "identity-providers", "providers": seen[:SHOWN]})


@needs(Right.IDENTITY_PROVIDER_VIEW)
@require_safe
def provider_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """With `?look`: what the provider says of itself now, or what is wrong with it."""
    provider = _provider(request, pk)
    page: dict[str, Any] = {
        "section": "identity-providers",
        "provider": provider,
        "rules": _told(provider_roles.rules_of(provider)),
        "identities": provider.identities.count(),
        "addresses": _addresses(provider),
    }
    if "look" in request.GET:
        try:
            page["metadata"] = identity_providers.look(actor=actor_of(request), provider=provider)
        except Unavailable as trouble:
            page["trouble"] = trouble.message
    return render(request, "tenancy/provider.html", page)


def _addresses(provider: IdentityProvider) -> Sequence[tuple[str, str]]:
    """What has to be registered at the provider."""
    base = callback_of(provider).removesuffix(reverse("oidc-callback", args=[provider.slug]))
    return [
        ("Redirect", callback_of(provider)),
        ("After sign-out", signed_out_address()),
        ("Back-channel logout", base + reverse("oidc-back-channel-logout", args=[provider.slug])),
    ]


@needs(Right.IDENTITY_PROVIDER_EDIT)
@sensitive_post_parameters("client_secret")
@require_http_methods(FORM)
def provider_create(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    options = _organizations(actor)
    home = request.GET.get("org") or (options[0][0] if options else "")
    form = ProviderForm(posted(request), organizations=options, domains=_system(actor), initial={"organization": home})

    def act() -> Done:
        place = form.cleaned_data["organization"]
        organization = None if place == PROVIDER else Organization.objects.get(pk=place)
        provider = identity_providers.create_provider(
            actor=actor,
            organization=organization,
            **form.given("name", "issuer", "client_secret", *EDITABLE),
        )
        return Done(reverse("identity-provider-page", args=[provider.pk]), f"{provider.display_name} is added.")

    return fill(request, _page(None, "Add identity provider", "Add"), form, act)


def _organizations(actor: Actor) -> list[tuple[str, str]]:
    rows = access.visible(actor, Organization.objects.filter(deletion_requested_at=None), Right.IDENTITY_PROVIDER_EDIT)
    choices = [(str(pk), name) for pk, name in rows.order_by("name").values_list("pk", "name")[:MOST_OPTIONS]]
    return [*choices, (PROVIDER, "everybody")] if _system(actor) else choices


@needs(Right.IDENTITY_PROVIDER_EDIT)
@sensitive_post_parameters("client_secret")
@require_http_methods(FORM)
def provider_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    provider, actor = _provider(request, pk), actor_of(request)
    now = {name: getattr(provider, name) for name in (*EDITABLE, "generation")}
    form = ProviderEditForm(posted(request), domains=_system(actor), initial=now)

    def act() -> Done:
        changes = form.given(*EDITABLE)
        if form.cleaned_data["client_secret"]:
            changes["client_secret"] = form.cleaned_data["client_secret"]
        identity_providers.edit_provider(
            actor=actor, provider=provider, changes=changes, generations=form.generations()
        )
        return Done(reverse("identity-provider-page", args=[pk]), f"{provider.display_name} is changed.")

    page = _page(provider, f"Edit {provider.display_name}", "Save")
    page.more["warnings"] = _ending(actor, provider, "Switched off, it also ends") if provider.enabled else []
    return fill(request, page, form, act, row=provider)


def _ending(actor: Actor, provider: IdentityProvider, what: str) -> list[dict[str, str]]:
    """Who is signed out by it, to be said before."""
    found = identity_providers.sessions_of(provider)
    number = found.count()
    if not number:
        return []
    own = actor.session_id is not None and found.filter(pk=actor.session_id).exists()
    mine = ", yours among them" if own else ""
    counted = "the session that began by it" if number == 1 else f"the {number} sessions that began by it"
    return [{"message": f"{what} {counted}, at once{mine}."}]


@needs(Right.IDENTITY_PROVIDER_EDIT)
@require_http_methods(FORM)
def provider_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    provider = _provider(request, pk)
    form = NameForm(posted(request), name=provider.name, initial={"generation": provider.generation})

    def act() -> Done:
        identity_providers.delete_provider(actor=actor_of(request), provider=provider, generations=form.generations())
        return Done(reverse("identity-provider-list-page"), f"{provider.display_name} is deleted.")

    intro = "Nobody signs in by it any more. Roles that its rules gave are taken away. Accounts stay."
    page = _page(provider, f"Delete {provider.display_name}?", "Delete", intro=intro, danger=True, live=False)
    page.more["warnings"] = _ending(actor_of(request), provider, "It ends")
    return fill(request, page, form, act, row=provider)


@needs(Right.IDENTITY_PROVIDER_EDIT)
@require_http_methods(FORM)
def rule_create(request: HttpRequest, pk: UUID) -> HttpResponse:
    provider = _provider(request, pk)
    own = _own_roles(actor_of(request), provider)
    form = RuleForm(
        posted(request),
        places=_places(actor_of(request), provider),
        own=[(pk, f"{role.display_name or role.name}, of {role.organization}") for pk, role in own.items()],
        initial={"generation": provider.generation},
    )

    def act() -> Done:
        rule: dict[str, Any] = form.given("claim", "match", "value", "role")
        system = rule["role"] == RoleName.SYSTEM_ADMIN
        organization, _, vdc = form.cleaned_data["place"].partition("/")
        role = own.get(rule["role"])
        if role is not None:
            rule["role"] = role.name
            if organization != str(role.organization_id):
                raise Invalid.field("place", "place", f"This role is one of {role.organization}: choose a place there.")
        rule["organization"] = Organization.objects.get(pk=organization) if organization and not system else None
        rule["vdc_id"] = UUID(vdc) if vdc and not system else None
        return _put(request, provider, form, [*_given(provider), rule], "The rule is added.")

    intro = "It takes effect at each person’s next sign-in."
    return fill(request, _page(provider, "Add rule", "Add", intro=intro), form, act)


@needs(Right.IDENTITY_PROVIDER_EDIT)
@require_http_methods(FORM)
def rule_delete(request: HttpRequest, pk: UUID, rule: UUID) -> HttpResponse:
    provider = _provider(request, pk)
    found = provider.rules.filter(pk=rule).first()
    if found is None:
        raise NotFound("No such rule.")
    form = SureForm(posted(request), initial={"generation": provider.generation})

    def act() -> Done:
        return _put(request, provider, form, _given(provider, but=found), "The rule is deleted.")

    intro = "Whoever has a role by it loses it at his next sign-in."
    page = _page(provider, "Delete this rule?", "Delete", intro=intro, danger=True, live=False)
    return fill(request, page, form, act)


def _put(request: HttpRequest, provider: IdentityProvider, form: Any, rules: Sequence[Any], message: str) -> Done:
    identity_providers.edit_provider(
        actor=actor_of(request), provider=provider, changes={"rules": rules}, generations=form.generations()
    )
    return Done(reverse("identity-provider-page", args=[provider.pk]), message)


def _given(provider: IdentityProvider, but: GroupRule | None = None) -> list[dict[str, Any]]:
    """The rules as they are given to the service."""
    return [
        {
            "claim": rule.claim,
            "match": rule.match,
            "value": rule.value,
            "role": rule.role_name,
            "organization": rule.organization,
            "vdc_id": rule.vdc_id,
        }
        for rule in provider.rules.select_related("organization")
        if but is None or rule.pk != but.pk
    ]


def _places(actor: Actor, provider: IdentityProvider) -> list[tuple[str, str]]:
    """`<organization>` or `<organization>/<VDC>` by id; empty: the system."""
    rows = access.visible(actor, Organization.objects.filter(deletion_requested_at=None), Right.ORGANIZATION_VIEW)
    if provider.organization_id is not None:
        rows = rows.filter(pk=provider.organization_id)
    found = [] if provider.organization_id is not None else [("", "the system")]
    # The reverse of vdcs' foreign key: VDCs stand above, their model can't be imported here.
    columns = rows.order_by("name", "vdcs__name").values_list("pk", "name", "vdcs__pk", "vdcs__name")
    for pk, name, vdc, vdc_name in columns[:MOST_OPTIONS]:
        if (str(pk), name) not in found:
            found.append((str(pk), name))
        if vdc is not None:
            found.append((f"{pk}/{vdc}", f"{name}/{vdc_name}"))
    return found


def _own_roles(actor: Actor, provider: IdentityProvider) -> dict[str, Role]:
    """By id, the organizations' own roles that its rules could give."""
    rows = Role.objects.select_related("organization").order_by("organization__name", "name")
    if provider.organization_id is not None:
        rows = rows.filter(organization=provider.organization_id)
    return {str(role.pk): role for role in access.visible(actor, rows, Right.BINDING_VIEW)[:MOST_OPTIONS]}


def _told(rules: Sequence[GroupRule]) -> list[GroupRule]:
    """Each with its role and its place in words."""
    names = _vdc_names(rule.vdc_id for rule in rules)
    for rule in rules:
        where = rule.organization.name if rule.organization else "the system"
        rule.where = f"{where}/{names.get(rule.vdc_id, GONE)}" if rule.vdc_id else where  # type: ignore[attr-defined]
        own = (rule.custom and rule.custom.display_name) or rule.custom_name
        rule.label = own or RoleName(rule.role).label  # type: ignore[attr-defined]
    return list(rules)


def _vdc_names(ids: Any) -> Mapping[UUID, str]:
    wanted = {pk for pk in ids if pk}
    return dict(Organization.objects.filter(vdcs__in=wanted).values_list("vdcs__pk", "vdcs__name")) if wanted else {}


@needs(Right.IDENTITY_PROVIDER_EDIT)
@sensitive_post_parameters("pasted")
@never_cache
@require_http_methods(FORM)
def provider_try(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What would this person get? Nothing of what is pasted is kept, nor shown again."""
    provider = _provider(request, pk)
    form = PasteForm(posted(request))
    found, status = None, 200
    if request.method == "POST" and form.is_valid():
        try:
            found = provider_preview.preview(
                actor=actor_of(request), provider=provider, pasted=form.cleaned_data["pasted"]
            )
        except Invalid as refusal:
            form.add_error("pasted", refusal.message)
    if form.errors:
        status = 422
    page = {
        "section": "identity-providers",
        "provider": provider,
        "form": form if form.errors else PasteForm(),
        "found": found,
    }
    if found is not None:
        _told([rule for rule, _holds in found.rules])
        page |= {name: _in_words(getattr(found, name)) for name in ("made", "removed", "kept")}
    return render(request, "tenancy/provider_try.html", page, status=status)


def _in_words(places: Sequence[Place]) -> list[str]:
    names = _vdc_names(place.vdc_id for place in places)
    ids = {place.organization_id for place in places if place.organization_id}
    homes = dict(Organization.objects.filter(pk__in=ids).values_list("pk", "name"))
    return [
        f"{place.label} of "
        + (homes.get(place.organization_id, "") if place.organization_id else "OVIM")
        + (f"/{names.get(place.vdc_id, GONE)}" if place.vdc_id else "")
        for place in places
    ]
