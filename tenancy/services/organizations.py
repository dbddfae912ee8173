"""Organizations: made, edited, switched off, removed. Their objects in clusters follow through their placements."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clusters import namespaces, placements
from core import access, audit, rows
from core.actor import Actor
from core.errors import Conflict, Invalid, NotFound
from core.rights import Right
from core.rows import Generations
from tenancy import branding
from tenancy.models import Organization, User
from tenancy.services import admins, reach

KIND = "organization"
# Pages below /sign-in/, where each organization has its own page by its name.
SIGN_IN_PAGES = frozenset({"code", "find", "forgotten", "reset"})
EDITABLE = (
    "display_name",
    "description",
    "enabled",
    "second_factor_required",
    "technical_contact_name",
    "technical_contact_email",
    "billing_contact_name",
    "billing_contact_email",
    "accent_light",
    "accent_dark",
)


@transaction.atomic
def create_organization(*, actor: Actor, name: str, display_name: str, description: str = "") -> Organization:
    """A tenant, with its place on the default cluster. Its quota's row is made by vdcs with its first limit or VDC."""
    access.require_system(actor, Right.ORGANIZATION_CREATE)
    if namespaces.is_reserved(name) or namespaces.is_reserved(f"{name}-"):  # its VDCs' namespaces begin with it
        raise Invalid.field("name", "reserved", f"{name!r} is a name of the platform: choose another one.")
    if name in SIGN_IN_PAGES:
        message = f"An organization can't be called {name}: /sign-in/{name}/ is a page of OVIM, not one of its own."
        raise Invalid.field("name", "reserved", message)
    cluster = placements.opened(placements.default_cluster())
    organization = Organization(name=name, display_name=display_name, description=description)
    rows.save(organization, new=True)
    namespaces.allot(cluster, name, KIND, organization.pk)
    placements.place(KIND, organization.pk, organization.pk, cluster=cluster)
    audit.record(
        actor,
        Right.ORGANIZATION_CREATE,
        organization,
        organization_id=organization.pk,
        after={"name": name, "display_name": display_name, "description": description},
    )
    return organization


@transaction.atomic
def edit_organization(
    *, actor: Actor, organization: Organization, changes: Mapping[str, Any], generations: Generations = None
) -> Organization:
    """Change what EDITABLE names; its mirrors in the clusters follow.

    `enabled` is the provider's: while it is false, the organization's people can do nothing; what runs goes on running.
    """
    access.require(actor, Right.ORGANIZATION_EDIT, organization)
    if "enabled" in changes:
        access.require_system(actor, Right.ORGANIZATION_EDIT)
    branding.check_accents(changes)
    return _edit(actor, organization, {key: changes[key] for key in EDITABLE if key in changes}, generations)


def _edit(actor: Actor, organization: Organization, changes: dict[str, Any], generations: Generations) -> Organization:
    organization = rows.lock(organization, generations)
    require_staying(organization)
    before = rows.edit(organization, changes)
    if before:
        after = {name: changes[name] for name in before}
        audit.record(
            actor,
            Right.ORGANIZATION_EDIT,
            organization,
            organization_id=organization.pk,
            before=before,
            after=after,
        )
        placements.bump(KIND, organization.pk)
    if before.keys() & {"enabled", "second_factor_required"}:
        reach.changed_of_people_of(organization)
    return organization


def require_staying(organization: Organization) -> None:
    """Conflict if it is going, or to go."""
    if organization.deletion_requested_at is not None:
        raise Conflict(f"The organization {organization} is being deleted.")
    if organization.deletion_due_at is not None:
        at = f"{organization.deletion_due_at:%Y-%m-%d %H:%M} UTC"
        raise Conflict(f"The organization {organization} is to be deleted at {at}: undo that first.")


@transaction.atomic
def delete_organization(*, actor: Actor, organization: Organization, generations: Generations = None) -> None:
    """Ask for it to go: refused while it has VDCs or catalogs. The row goes once its last namespace is confirmed gone."""
    access.require_system(actor, Right.ORGANIZATION_DELETE)
    with admins.kept(User.objects.filter(organization=organization), but=organization.pk):
        _delete(actor, organization, generations)


def _delete(actor: Actor, organization: Organization, generations: Generations) -> None:
    organization = rows.lock(organization, generations)
    if organization.deletion_requested_at is not None:
        return
    for what, held in (("VDCs", organization.vdcs), ("catalogs", organization.catalogs)):
        names = list(held.values_list("name", flat=True)[:5])
        if names:
            raise Conflict(f"{organization} still has {what} ({', '.join(names)}): delete them first, or cascade.")
    organization.deletion_requested_at = timezone.now()
    organization.enabled = False
    organization.generation += 1
    organization.save(update_fields=["deletion_requested_at", "enabled", "generation"])
    audit.record(actor, Right.ORGANIZATION_DELETE, organization, organization_id=organization.pk)
    placements.end(KIND, organization.pk)
    reach.changed_of_people_of(organization)


def lock_organization(organization_id: UUID) -> Organization:
    """For whoever is about to put something into an organization (vdcs, catalogs): its row, locked, and fit for it.

    Deleting takes the same lock before it looks for what is inside, so that neither can miss the other.
    """
    organization = Organization.objects.select_for_update(no_key=True).filter(pk=organization_id).first()
    if organization is None:
        raise NotFound("No such organization.")
    require_staying(organization)
    if not organization.enabled:
        raise Conflict(f"The organization {organization} is disabled: a system admin can enable it.")
    return organization
