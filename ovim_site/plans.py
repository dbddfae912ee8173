"""The plan of a write that is tried out: what it does to quotas and in the clusters (`core.api.rehearse`)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from clusters import plans
from clusters.apply import shown
from core.trial import Trial
from tenancy.models import Organization
from vdcs import selectors
from vdcs.models import Vdc

MOST_ROWS = 20  # a cascade over more is cut short: every row is looked at while locks are held

# (level, id) → name, and per resource (limit, reserved, used); reserved: of organizations only
Standing = dict[tuple[str, UUID], tuple[str, dict[str, tuple[int | None, int | None, int]]]]


class Planner:
    """Made while the rows are as they would be; `told` is called when they are as they were."""

    def __init__(self, trial: Trial) -> None:
        keys = list(trial.requested)
        self.intents = plans.intents(keys[:MOST_ROWS])
        self.left_off = max(len(keys) - MOST_ROWS, 0)
        self.organizations = trial.organizations
        self.vdcs = {pk for intent in self.intents if (pk := _vdc_of(intent.row)) is not None}
        self.after = _standing(self.organizations, self.vdcs)

    def told(self, *, cluster: bool) -> dict[str, Any]:
        found = [(intent, plans.changes(intent)) for intent in self.intents]
        before = _standing(self.organizations, self.vdcs)
        return {
            "quota": _effects(before, self.after),
            "changes": [change for _, changes in found for change in shown(changes)],
            "restart_needed": any(plans.needs_restart(*each) for each in found),
            "left_off": self.left_off,
            "cluster": [verdict for each in found for verdict in plans.verdicts(*each)] if cluster else None,
        }


def _vdc_of(row: Any) -> UUID | None:
    found: UUID | None = row.pk if isinstance(row, Vdc) else getattr(row, "vdc_id", None)
    return found


def _standing(organizations: set[UUID], vdcs: set[UUID]) -> Standing:
    found: Standing = {}
    for vdc in Vdc.objects.filter(pk__in=vdcs, quota__isnull=False).select_related("quota"):
        usage = selectors.usage_of(vdc)
        found["vdc", vdc.pk] = vdc.name, _lines(usage, usage["used"], {})
    for organization in Organization.objects.filter(pk__in=organizations):
        usage = selectors.organization_usage(organization.pk)
        found["organization", organization.pk] = organization.name, _lines(usage, usage["used"], usage["reserved"])
    return found


def _lines(usage: Mapping[str, Any], used: Mapping[str, int], reserved: Mapping[str, int]) -> dict[str, Any]:
    names = [*used, *(name for name in usage["limits"] if name not in used)]
    return {name: (usage["limits"].get(name), reserved.get(name), used.get(name, 0)) for name in names}


def _effects(before: Standing, after: Standing) -> list[dict[str, Any]]:
    """What a write changes, of the moment at which it was tried out: a VDC's lines, then its organization's."""
    found = []
    for key in {**before, **after}:
        name = (after.get(key) or before[key])[0]
        old, new = (side[key][1] if key in side else {} for side in (before, after))
        for resource in sorted({*old, *new}):
            was, becomes = old.get(resource, (None, None, 0)), new.get(resource, (None, None, 0))
            if was != becomes:
                found.append(_effect(key[0], name, resource, was, becomes))
    return found


def _effect(level: str, scope: str, resource: str, was: tuple[Any, ...], becomes: tuple[Any, ...]) -> dict[str, Any]:
    parts = {
        name: {"before": was[index], "after": becomes[index]}
        for index, name in enumerate(("limit", "reserved", "used"))
    }
    return {"level": level, "scope": scope, "resource": resource, **parts}
