"""Pages that make, change and switch off people's accounts, and change passwords."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from core import access
from core.actor import Actor, Level
from core.enforce import needs
from core.errors import Invalid
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import SureForm
from tenancy.actions import NEEDS_THE_CURRENT
from tenancy.forms import PROVIDER, OwnPasswordForm, PasswordResetForm, PersonDeleteForm, PersonEditForm, PersonForm
from tenancy.models import Organization, User
from tenancy.services import passwords, previews, second_factor, users

MOST_OPTIONS = 200


def _page(person: User | None, title: str, submit: str, **more: object) -> Page:
    crumbs = [("People", reverse("user-list"))]
    back = reverse("user-list")
    if person is not None:
        back = reverse("user-detail", args=[person.pk])
        crumbs.append((person.username, back))
    return Page(title, "users", crumbs, submit, back, **more)  # type: ignore[arg-type]


def _person(request: HttpRequest, pk: UUID) -> User:
    """Who may be looked at by one who may edit people; whether it may be done to him, the service says."""
    person = access.get(actor_of(request), User.objects.select_related("organization"), pk, Right.USER_VIEW)
    access.require(actor_of(request), Right.USER_EDIT, person)
    return person


def _organizations(actor: Actor) -> list[tuple[str, str]]:
    """Where the actor may make accounts."""
    found = access.visible(actor, Organization.objects.filter(deletion_requested_at=None), Right.USER_EDIT)
    choices = [(str(pk), name) for pk, name in found.order_by("name").values_list("pk", "name")[:MOST_OPTIONS]]
    provider = any(grant.level is Level.SYSTEM for grant in actor.grants_of(Right.USER_EDIT))
    return [*choices, (PROVIDER, "the provider")] if provider else choices


def _told_once(request: HttpRequest, person: User, password: str) -> HttpResponse:
    """The one page that shows a password. Nothing keeps it: who loses it has another one made."""
    page = {"section": "users", "person": person, "password": password}
    answer = render(request, "tenancy/password.html", page)
    answer["Cache-Control"] = "no-store"
    return answer


def _with_password(request: HttpRequest, person: User, made_up: str | None, message: str) -> Done:
    where = reverse("user-detail", args=[person.pk])
    return Done(where, message, _told_once(request, person, made_up) if made_up else None)


@needs(Right.USER_EDIT)
@sensitive_post_parameters("password")
@require_http_methods(FORM)
def person_create(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    options = _organizations(actor)
    home = request.GET.get("org") or (options[0][0] if options else "")
    form = PersonForm(posted(request), organizations=options, initial={"organization": home})

    def act() -> Done:
        chosen = form.cleaned_data["organization"]
        made_up = None if form.cleaned_data["password"] else passwords.generated()
        person = users.create_user(
            actor=actor,
            organization=None if chosen == PROVIDER else Organization.objects.get(pk=chosen),
            password=made_up or form.cleaned_data["password"],
            must_change_password=True,
            **form.given("username", "full_name", "email"),
        )
        return _with_password(request, person, made_up, f"{person} can sign in now, and needs a role next.")

    return fill(request, _page(None, "Create person", "Create person"), form, act)


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def person_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    person = _person(request, pk)
    now = {"full_name": person.full_name, "email": person.email, "generation": person.generation}
    form = PersonEditForm(posted(request), initial=now)

    def act() -> Done:
        changes = form.given("full_name", "email")
        users.edit_user(actor=actor_of(request), user=person, changes=changes, generations=form.generations())
        return Done(reverse("user-detail", args=[pk]), f"{person} is changed.")

    return fill(request, _page(person, f"Edit {person}", "Save"), form, act, row=person)


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def person_disable(request: HttpRequest, pk: UUID) -> HttpResponse:
    person = _person(request, pk)
    form = SureForm(posted(request), initial={"generation": person.generation})

    def act() -> Done:
        users.disable_user(actor=actor_of(request), user=person, generations=form.generations())
        return Done(reverse("user-detail", args=[pk]), f"{person} is disabled and signed out everywhere.")

    intro = "All sessions end at once, and nobody can sign in to the account. Roles and machines are kept."
    page = _page(person, f"Disable {person}?", "Disable", intro=intro, danger=True, live=False)
    return fill(request, page, form, act, row=person)


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def person_enable(request: HttpRequest, pk: UUID) -> HttpResponse:
    person = _person(request, pk)
    form = SureForm(posted(request), initial={"generation": person.generation})

    def act() -> Done:
        users.enable_user(actor=actor_of(request), user=person, generations=form.generations())
        return Done(reverse("user-detail", args=[pk]), f"{person} is enabled.")

    intro = "The account can sign in again, with the password and the roles it had."
    page = _page(person, f"Enable {person}?", "Enable", intro=intro, live=False)
    return fill(request, page, form, act, row=person)


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def person_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    person = _person(request, pk)
    form = PersonDeleteForm(posted(request), name=person.username, initial={"generation": person.generation})

    def act() -> Done:
        actor, heir = actor_of(request), None
        if form.cleaned_data["heir"]:
            people = access.visible(actor, User.objects.all(), Right.USER_VIEW)
            heir = people.filter(username=form.cleaned_data["heir"].strip().lower()).first()
            if heir is None:
                raise Invalid.field("heir", "not_found", "There is nobody of this user name whom you may see.")
        users.delete_user(actor=actor, user=person, heir=heir, generations=form.generations())
        return Done(reverse("user-list"), f"The account of {person} is deleted.")

    intro = "Sessions and roles go with it. It can’t be undone. The audit log keeps the name."
    page = _page(person, f"Delete {person}?", "Delete", intro=intro, danger=True, live=False)
    return fill(request, page, form, act, row=person)


@needs(Right.USER_EDIT)
@sensitive_post_parameters("password")
@require_http_methods(FORM)
def person_password(request: HttpRequest, pk: UUID) -> HttpResponse:
    person = _person(request, pk)
    if pk == actor_of(request).user_id:
        messages.info(request, NEEDS_THE_CURRENT)
        return HttpResponseRedirect(reverse("own-password"))
    form = PasswordResetForm(posted(request), initial={"generation": person.generation})

    def act() -> Done:
        made_up = None if form.cleaned_data["password"] else passwords.generated()
        users.set_password(
            actor=actor_of(request),
            user=person,
            password=made_up or form.cleaned_data["password"],
            must_change_password=True,
            generations=form.generations(),
        )
        return _with_password(request, person, made_up, f"{person} has another password.")

    intro = "All sessions of the account end. The new password has to be changed at the next sign-in."
    page = _page(person, f"Reset the password of {person}", "Reset password", intro=intro, live=False)
    return fill(request, page, form, act, row=person)


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def person_second_factor(request: HttpRequest, pk: UUID) -> HttpResponse:
    person = _person(request, pk)
    form = SureForm(posted(request))

    def act() -> Done:
        second_factor.reset(actor=actor_of(request), user=person)
        return Done(reverse("user-detail", args=[pk]), f"{person} signs in by password alone, and can enrol anew.")

    intro = "For who has lost his device. All sessions end. Be sure that it is he who asks."
    page = _page(person, f"Reset the second factor of {person}?", "Reset", intro=intro, danger=True, live=False)
    return fill(request, page, form, act, row=person)


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def person_preview(request: HttpRequest, pk: UUID) -> HttpResponse:
    person = _person(request, pk)
    form = SureForm(posted(request))

    def act() -> Done:
        previews.begin(actor=actor_of(request), user=person)
        return Done("/", f"You see what {person} sees.")

    intro = (
        f"For half an hour this session shows the portal as {person} sees it, to look only: nothing can be changed. "
        "The audit log says that you looked."
    )
    page = _page(person, f"See what {person} sees?", "See it", intro=intro, live=False)
    return fill(request, page, form, act)


@needs(Right.SELF)
@require_POST
def preview_end(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    previews.end(actor=actor)
    where = reverse("user-detail", args=[actor.user_id]) if actor.previewed_by else "/"
    return HttpResponseRedirect(where)


preview_end.ends_preview = True  # type: ignore[attr-defined]  # read by core.enforce


@needs(Right.SELF)
@sensitive_post_parameters("current_password", "new_password", "again")
@require_http_methods(FORM)
def own_password(request: HttpRequest) -> HttpResponse:
    """Everybody's own. Who has to change it sees no other page before (`tenancy.middleware`)."""
    actor = actor_of(request)
    form = OwnPasswordForm(posted(request))

    def prove() -> None:
        users.prove_password(actor=actor, password=form.cleaned_data["current_password"])

    def act() -> Done:
        users.choose_password(actor=actor, password=form.cleaned_data["new_password"])
        return Done("/", "Your password is changed. Your other sessions have ended.")

    page = Page("Change your password", "", [], "Change password", "/settings/", live=False)
    if actor.must_change_password:
        page.back = ""
        page.intro = "Somebody else knows your password: choose another one, then your roles take effect."
    return fill(request, page, form, act, before=prove)
