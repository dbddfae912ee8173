"""Pages of groups, and of who is in one."""

from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from core import access
from core.enforce import needs
from core.errors import Invalid
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import SureForm
from tenancy import bound
from tenancy.access import covers
from tenancy.forms import GroupEditForm, GroupForm, MemberForm
from tenancy.models import Group, Membership, RoleBinding, User
from tenancy.role_pages import organization_of
from tenancy.services import groups

SHOWN = 200


def _group(request: HttpRequest, pk: UUID) -> Group:
    return access.get(actor_of(request), Group.objects.select_related("organization"), pk, Right.BINDING_VIEW)


def _page(group: Group, title: str, submit: str, **more: object) -> Page:
    back = reverse("group-detail-page", args=[group.pk])
    crumbs = []
    if group.organization is not None:
        home = group.organization
        crumbs.append((home.name, reverse("organization-detail", args=[home.pk])))
        crumbs.append(("Groups", reverse("group-list-page", args=[home.pk])))
    crumbs.append((group.name, back))
    return Page(title, "organizations", crumbs, submit, back, live=False, **more)  # type: ignore[arg-type]


def _list_of(group: Group) -> str:
    home = group.organization_id
    return reverse("organization-list") if home is None else reverse("group-list-page", args=[home])


@needs(Right.BINDING_VIEW)
@require_safe
def group_list(request: HttpRequest, pk: UUID) -> HttpResponse:
    organization = organization_of(request, pk)
    actor = actor_of(request)
    rows = Group.objects.filter(organization=organization).annotate(people=Count("memberships")).order_by("name")
    page = {
        "section": "organizations",
        "organization": organization,
        "groups": access.visible(actor, rows, Right.BINDING_VIEW)[:SHOWN],
        "may_edit": covers(actor, frozenset({Right.BINDING_EDIT}), pk, None),
    }
    return render(request, "tenancy/groups.html", page)


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def group_create(request: HttpRequest, pk: UUID) -> HttpResponse:
    organization = organization_of(request, pk)
    form = GroupForm(posted(request))
    back = reverse("group-list-page", args=[pk])
    crumbs = [(organization.name, reverse("organization-detail", args=[pk])), ("Groups", back)]

    def act() -> Done:
        given = form.given("name", "display_name", "external")
        group = groups.create_group(actor=actor_of(request), organization=organization, **given)
        return Done(reverse("group-detail-page", args=[group.pk]), f"The group {group} is made; it is empty yet.")

    return fill(request, Page("Create group", "organizations", crumbs, "Create", back, live=False), form, act)


@needs(Right.BINDING_VIEW)
@require_http_methods(FORM)
def group_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Who is in it, and under it the form for whoever may add somebody."""
    group = _group(request, pk)
    actor = actor_of(request)
    may = covers(actor, frozenset({Right.BINDING_EDIT}), group.organization_id, None)
    form = MemberForm(posted(request))
    page = _page(group, f"Group {group.display_name or group}", "Add")
    page.crumbs, page.back = list(page.crumbs)[:-1], _list_of(group)

    def act() -> Done:
        people = access.visible(actor, User.objects.all(), Right.USER_VIEW)
        user = people.filter(username=form.cleaned_data["username"].strip().lower()).first()
        if user is None:
            raise Invalid.field("username", "not_found", "There is nobody of this user name whom you may see.")
        groups.add_member(actor=actor, group=group, user=user)
        return Done(request.path, f"{user} is in the group now.")

    page.more = {"above": "tenancy/group.html", "closed": not may, "group": group, "may_edit": may}
    if may:
        seen = access.visible(actor, User.objects.order_by("username"), Right.USER_VIEW)
        page.more |= {"about": "tenancy/names.html", "names": list(seen.values_list("username", flat=True)[:SHOWN])}
    members = group.memberships.select_related("user").order_by("user__username")
    given = RoleBinding.objects.filter(group=group).order_by("pk")
    return fill(
        request,
        page,
        form,
        act,
        plan=lambda: {"members": members[:SHOWN], "bindings": bound.told(actor, given, SHOWN)},
    )


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def group_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    group = _group(request, pk)
    now = {"display_name": group.display_name, "external": group.external, "generation": group.generation}
    form = GroupEditForm(posted(request), initial=now)
    page = _page(group, f"Edit the group {group}", "Save")

    def act() -> Done:
        changes = form.given("display_name", "external")
        groups.edit_group(actor=actor_of(request), group=group, changes=changes, generations=form.generations())
        return Done(page.back, f"The group {group} is changed.")

    return fill(request, page, form, act, row=group)


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def group_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    group = _group(request, pk)
    form = SureForm(posted(request), initial={"generation": group.generation})
    intro = "Its people lose at once what they had by it alone. It can’t be undone."
    page = _page(group, f"Delete the group {group}?", "Delete", intro=intro, danger=True)

    def act() -> Done:
        groups.delete_group(actor=actor_of(request), group=group, generations=form.generations())
        return Done(_list_of(group), f"The group {group} is deleted.")

    return fill(request, page, form, act, row=group)


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def group_remove(request: HttpRequest, pk: UUID) -> HttpResponse:
    rows = Membership.objects.select_related("group__organization", "user")
    member = access.get(actor_of(request), rows, pk, Right.BINDING_VIEW)
    group, person = member.group, member.user
    form = SureForm(posted(request))
    intro = "The person loses at once what he had by the group alone."
    page = _page(group, f"Take {person} out of {group}?", "Take out", intro=intro, danger=True)

    def act() -> Done:
        groups.remove_member(actor=actor_of(request), group=group, user=person)
        return Done(page.back, f"{person} is no longer in the group.")

    return fill(request, page, form, act)
