"""Organizations as the engine knows them: one row to reconcile per cluster they are placed on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from clusters import namespaces, placements
from clusters.apply import Owner, Wanted
from clusters.conditions import Outcome
from clusters.kinds import Kind
from clusters.models import NamespaceAllotment, Placement
from clusters.reconcile import Recipe, Situation
from clusters.refs import Ref
from core.actor import Actor
from tenancy import desired, observe
from tenancy.facts import Contact, OrganizationFacts
from tenancy.models import Organization, RoleBinding, RoleName, User

OWNER = "organization"


def facts(placement: Placement) -> OrganizationFacts:
    organization = Organization.objects.get(pk=placement.owner_id)
    return OrganizationFacts(
        id=organization.pk,
        name=organization.name,
        display_name=organization.display_name,
        description=organization.description,
        enabled=organization.enabled,
        namespace=_namespace(placement),
        technical=Contact(organization.technical_contact_name, organization.technical_contact_email),
        billing=Contact(organization.billing_contact_name, organization.billing_contact_email),
        deletion_due_at=organization.deletion_due_at,
    )


def _namespace(placement: Placement) -> str:
    kept = NamespaceAllotment.objects.get(
        cluster_id=placement.cluster_id, owner_kind=OWNER, owner_id=placement.owner_id
    )
    return kept.name


def _load(pks: Sequence[UUID]) -> Iterable[Placement]:
    return Placement.objects.filter(pk__in=pks, owner_kind=OWNER)


def _wanted(situation: Situation) -> Sequence[Wanted]:
    return desired.organization_objects(facts(situation.row))


def _observe(situation: Situation) -> Outcome:
    known = facts(situation.row)
    refs = [item.ref for item in desired.organization_objects(known)]
    live = {ref: seen.body for ref, seen in situation.view.objects.items()}
    found = observe.observe(refs, live, Ref("", "Namespace", "", known.namespace))
    return observe.with_life(found, known)


def _mirror(placement: Placement) -> tuple[Ref, Mapping[str, Any]]:
    name = _namespace(placement)
    vdcs: Any = placement.vdcs  # the reverse of vdcs' foreign key, which stands above us
    status = observe.status(
        namespace=name,
        phase=placement.phase,
        conditions=placement.conditions,
        generation=placement.observed_generation,
        vdcCount=vdcs.count(),
    )
    return Ref("ovim.io", "Organization", "", name), status


def _gone(placement: Placement) -> None:
    """The namespace is confirmed gone. With the last placement the organization itself goes, its people with it."""
    namespaces.free(placement.cluster_id, OWNER, placement.owner_id)
    organization = Organization.objects.select_for_update(no_key=True).filter(pk=placement.owner_id).first()
    others = Placement.objects.filter(owner_kind=OWNER, owner_id=placement.owner_id).exclude(pk=placement.pk)
    if organization is None or organization.deletion_requested_at is None or others.exists():
        return
    people = User.objects.filter(organization=organization)
    # Whoever administers OVIM itself stays, as one of the provider's people: else the last one could go unnoticed.
    system = RoleBinding.objects.filter(role=RoleName.SYSTEM_ADMIN)
    people.filter(Q(bindings__in=system) | Q(memberships__group__bindings__in=system)).update(organization=None)
    people.delete()
    organization.delete()


def _destroyable(owner: Owner) -> bool:
    row = Placement.objects.filter(pk=owner.id).only("deletion_requested_at").first()
    return row is None or row.deletion_requested_at is not None


def _delete(_actor: Actor, placement: Placement) -> None:
    placements.end(OWNER, placement.owner_id)


RECIPE = Recipe(load=_load, wanted=_wanted, observe=_observe, gone=_gone, destroyable=_destroyable, mirror=_mirror)
PLACED_ORGANIZATION = Kind(
    name="placed-organization",
    model="clusters.Placement",
    recipe="tenancy.kinds.RECIPE",
    parent=lambda placement: None,
    delete=_delete,
    children={"namespace-access": "placement_id", "vdc": "placement_id"},
)
