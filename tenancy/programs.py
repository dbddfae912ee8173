"""Pages of access tokens and service accounts."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from core import access
from core.enforce import needs
from core.errors import Invalid, NotFound
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import SureForm
from tenancy.forms import PersonDeleteForm, ServiceAccountForm, TokenForm
from tenancy.models import AccessToken, Organization, User
from tenancy.roles import GIVEN_TO_ROLES
from tenancy.services import access_tokens, service_accounts, users

SHOWN = 200
TICKS = "Without any tick it can all that its user can. It never can more."


@needs(Right.ACCOUNT)
@require_safe
def token_list(request: HttpRequest) -> HttpResponse:
    rows = AccessToken.objects.filter(user_id=actor_of(request).account_id).order_by("-pk")
    return render(request, "tenancy/tokens.html", {"section": "settings", "tokens": rows[:SHOWN]})


@needs(Right.ACCOUNT)
@require_http_methods(FORM)
def token_create(request: HttpRequest) -> HttpResponse:
    user = User.objects.get(pk=actor_of(request).account_id)
    crumbs = [("Settings", reverse("settings")), ("Access tokens", reverse("token-list"))]
    held = frozenset[Right]().union(*(grant.rights for grant in actor_of(request).grants))
    page = Page("Create access token", "settings", crumbs, "Create", reverse("token-list"), intro=TICKS)
    return _make(request, user, held, page)


def _make(request: HttpRequest, user: User, held: frozenset[Right], page: Page) -> HttpResponse:
    form = TokenForm(posted(request), held=held)

    def act() -> Done:
        given: dict[str, Any] = form.given("name", "days")
        token, text = access_tokens.create_token(actor=actor_of(request), user=user, rights=form.rights(), **given)
        told = {"section": page.section, "token": token, "text": text, "back": page.back}
        answer = render(request, "tenancy/token.html", told)
        answer["Cache-Control"] = "no-store"
        return Done(page.back, "The token is made.", answer)

    return fill(request, page, form, act)


@needs(Right.ACCOUNT)
@require_http_methods(FORM)
def token_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One's own, or a service account's; whether the actor keeps it, the service says."""
    actor = actor_of(request)
    token = AccessToken.objects.select_related("user").filter(pk=pk).first()
    own = token is not None and token.user_id == actor.user_id
    seen = token is not None and token.user.is_service and access.allows(actor, Right.USER_VIEW, token.user)
    if token is None or not (own or seen):
        raise NotFound("No such access token.")
    place = token.user.organization_id
    back = reverse("token-list") if own or place is None else reverse("service-account-list-page", args=[place])
    form = SureForm(posted(request))

    def act() -> Done:
        access_tokens.delete_token(actor=actor, token=token)
        return Done(back, f"The token {token} is deleted.")

    intro = "Whatever uses it is refused from now on."
    page = Page(f"Delete the token {token}?", "settings", [], "Delete", back, intro=intro, danger=True, live=False)
    return fill(request, page, form, act)


def _organization(request: HttpRequest, pk: UUID) -> Organization:
    return access.get(actor_of(request), Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)


def _account(request: HttpRequest, pk: UUID) -> User:
    accounts = User.objects.filter(is_service=True).select_related("organization")
    return access.get(actor_of(request), accounts, pk, Right.USER_VIEW)


def _list_of(account: User) -> str:
    if account.organization_id is None:
        return reverse("user-list")
    return reverse("service-account-list-page", args=[account.organization_id])


@needs(Right.USER_VIEW)
@require_safe
def account_list(request: HttpRequest, pk: UUID) -> HttpResponse:
    organization = _organization(request, pk)
    accounts = User.objects.filter(is_service=True, organization=organization).prefetch_related("access_tokens")
    seen = access.visible(actor_of(request), accounts, Right.USER_VIEW).order_by("username")
    page = {"section": "organizations", "organization": organization, "accounts": seen[:SHOWN]}
    return render(request, "tenancy/service_accounts.html", page)


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def account_create(request: HttpRequest, pk: UUID) -> HttpResponse:
    organization = _organization(request, pk)
    form = ServiceAccountForm(posted(request))
    back = reverse("service-account-list-page", args=[pk])

    def act() -> Done:
        account = service_accounts.create_service_account(
            actor=actor_of(request), organization=organization, **form.given("name", "full_name")
        )
        return Done(back, f"{account} is made; it needs a role and a token next.")

    crumbs = [(organization.name, reverse("organization-detail", args=[pk])), ("Service accounts", back)]
    return fill(request, Page("Create service account", "organizations", crumbs, "Create", back), form, act)


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def account_token(request: HttpRequest, pk: UUID) -> HttpResponse:
    account = _account(request, pk)
    back = _list_of(account)
    crumbs = [("Service accounts", back)]
    page = Page(f"Create a token of {account}", "organizations", crumbs, "Create", back, intro=TICKS)
    return _make(request, account, GIVEN_TO_ROLES, page)


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def account_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    account = _account(request, pk)
    back = _list_of(account)
    form = PersonDeleteForm(posted(request), name=account.username, initial={"generation": account.generation})

    def act() -> Done:
        heir = None
        if form.cleaned_data["heir"]:
            people = access.visible(actor_of(request), User.objects.all(), Right.USER_VIEW)
            heir = people.filter(username=form.cleaned_data["heir"].strip().lower()).first()
            if heir is None:
                raise Invalid.field("heir", "not_found", "There is nobody of this user name whom you may see.")
        users.delete_user(actor=actor_of(request), user=account, heir=heir, generations=form.generations())
        return Done(back, f"{account} is deleted.")

    intro = "Its tokens and roles go with it. It can’t be undone. The audit log keeps the name."
    crumbs = [("Service accounts", back)]
    page = Page(f"Delete {account}?", "organizations", crumbs, "Delete", back, intro=intro, danger=True, live=False)
    return fill(request, page, form, act, row=account)
