"""Facts of an organization → its objects on one cluster. Pure."""

from datetime import UTC, datetime
from typing import Any

from clusters.apply import Wanted
from clusters.refs import Manifest, Ref, manifest
from tenancy.facts import OrganizationFacts


def organization_objects(organization: OrganizationFacts) -> list[Wanted]:
    """Nothing is claimed before its namespace is proven to be ours; the cluster-scoped mirror is named after it."""
    home = Ref("", "Namespace", "", organization.namespace)
    return [
        Wanted(namespace(organization)),
        Wanted(custom_resource(organization), after=(home,)),
    ]


def labels(organization: OrganizationFacts) -> dict[str, str]:
    return {"app.kubernetes.io/part-of": "ovim", "ovim.io/organization": str(organization.id)}


def namespace(organization: OrganizationFacts) -> Manifest:
    return manifest("v1", "Namespace", organization.namespace, labels=labels(organization))


def custom_resource(organization: OrganizationFacts) -> Manifest:
    """The mirror that `kubectl get org` shows."""
    spec: dict[str, Any] = {
        "displayName": organization.display_name,
        "description": organization.description,
        "isEnabled": organization.enabled,
    }
    for name, contact in (("technicalContact", organization.technical), ("billingContact", organization.billing)):
        known = {key: value for key, value in (("name", contact.name), ("email", contact.email)) if value}
        if known:
            spec[name] = known
    if organization.deletion_due_at is not None:
        spec["deletionDueAt"] = moment(organization.deletion_due_at)
    return manifest("ovim.io/v1", "Organization", organization.namespace, labels=labels(organization), spec=spec)


def moment(at: datetime) -> str:
    """RFC 3339 as Kubernetes writes it: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
