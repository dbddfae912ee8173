"""Bindings as people read them: who, what in words, where by name, through what, until when."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from core import access
from core.actor import Actor
from core.rights import Right
from tenancy.models import Organization, RoleBinding
from tenancy.right_words import in_words
from tenancy.roles import grant_of, role_label
from tenancy.services import bindings

GONE = "a VDC that is gone"
GONE_VM = "a VM that is gone"


class Told:
    """One binding. `within`: of its rights those that mean something there."""

    def __init__(self, row: RoleBinding, places: dict[UUID, str], within: frozenset[Right] | None) -> None:
        grant = grant_of(row)
        rights = grant.rights if within is None else grant.rights & within
        self.pk, self.row = row.pk, row
        self.user, self.group, self.organization = row.user, row.group, row.organization
        self.vdc_id, self.vm_id = row.vdc_id, row.vm_id
        self.label, self.words, self.own_only = role_label(row), in_words(rights), grant.own_only
        self.created_at: datetime = row.created_at
        self.expires_at: datetime | None = row.expires_at
        self.has_ended = row.expires_at is not None and row.expires_at <= timezone.now()
        self.vdc_name = places.get(row.vdc_id, GONE) if row.vdc_id else ""
        self.vm_name = places.get(row.vm_id, GONE_VM) if row.vm_id else ""
        self.may_remove = self.may_change_end = False

    @property
    def holder(self) -> str:
        return self.user.username if self.user is not None else f"The group {self.group}"

    @property
    def where(self) -> str:
        if self.organization is None:
            return "the whole system"
        return " / ".join(part for part in (self.organization.name, self.vdc_name, self.vm_name) if part)


def told(
    actor: Actor, rows: QuerySet[RoleBinding], most: int, within: frozenset[Right] | None = None
) -> Sequence[Told]:
    """Those that the actor may see, at most so many."""
    rows = rows.select_related("user", "group", "custom", "organization")
    seen = list(access.visible(actor, rows, Right.BINDING_VIEW)[:most])
    names = _names(seen)
    found = [Told(row, names, within) for row in seen]
    for entry in found:
        entry.may_remove = bindings.may_change(actor, entry.row)
        entry.may_change_end = entry.may_remove and not entry.row.by_provider_id and not entry.has_ended
    return found


def _names(rows: Iterable[RoleBinding]) -> dict[UUID, str]:
    """Of VDCs and VMs by id, by the reverse of foreign keys of apps that stand above."""
    found: dict[UUID, str] = {}
    for column, path in (("vdc_id", "vdcs"), ("vm_id", "vdcs__vms")):
        ids = {pk for row in rows if (pk := getattr(row, column))}
        if ids:
            here = Organization.objects.filter(Q(**{f"{path}__in": ids}))
            found |= dict(here.values_list(f"{path}__pk", f"{path}__name"))
    return found
