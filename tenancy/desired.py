"""Facts of an organization → its objects on one cluster. Pure."""

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
    spec = {
        "displayName": organization.display_name,
        "description": organization.description,
        "isEnabled": organization.enabled,
    }
    return manifest("ovim.io/v1", "Organization", organization.namespace, labels=labels(organization), spec=spec)
