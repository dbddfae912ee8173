"""Live objects of an organization on one cluster → phase and conditions: an ordered table, first match wins. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from clusters.conditions import Outcome, false, true
from clusters.refs import Ref
from tenancy.facts import OrganizationFacts

Live = Mapping[Ref, Mapping[str, Any]]


def observe(wanted: Sequence[Ref], live: Live, home: Ref) -> Outcome:
    """`wanted`: what should be there; `home`: the namespace, without which nothing else can be."""
    space = live.get(home)
    missing = [ref for ref in wanted if ref not in live]
    if space is None:
        return Outcome("Pending", (false("Ready", "NamespacePending", f"{home} is not there yet."),))
    if space.get("status", {}).get("phase") == "Terminating" or "deletionTimestamp" in space["metadata"]:
        message = f"{home} is being deleted by somebody else."
        return Outcome("Failed", (false("Ready", "NamespaceTerminating", message),))
    if missing:
        names = ", ".join(str(ref) for ref in missing)
        return Outcome("Provisioning", (false("Ready", "Applying", f"Not there yet: {names}."),))
    return Outcome("Active", (true("Ready", "Applied", "Everything is in place."),), settled=True)


def with_life(outcome: Outcome, organization: OrganizationFacts) -> Outcome:
    """And what people decided: that it is disabled, and from when on it goes."""
    told = []
    if not organization.enabled:
        told.append(false("Enabled", "Disabled", "Its people can do nothing: a system admin can enable it."))
    if organization.deletion_due_at is not None:
        at = f"{organization.deletion_due_at:%Y-%m-%d %H:%M} UTC"
        told.append(
            true("DeletionPending", "Grace", f"It goes at {at} with all that is in it; until then it can be undone.")
        )
    return replace(outcome, conditions=(*outcome.conditions, *told)) if told else outcome


def status(
    *, namespace: str, phase: str, conditions: Sequence[Mapping[str, Any]], generation: int, **more: Any
) -> dict[str, Any]:
    """What a custom resource of ours shows of a row."""
    return {
        "namespace": namespace,
        "phase": phase,
        "observedGeneration": generation,
        "conditions": [
            {
                "type": item["type"],
                "status": item["status"],
                "reason": item["reason"],
                "message": item["message"],
                # RFC 3339 as Kubernetes writes it: UTC, whole seconds.
                "lastTransitionTime": item["since"][:19] + "Z",
            }
            for item in conditions
        ],
        **more,
    }
