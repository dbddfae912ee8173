"""What an organization's desired state on one cluster is built from. Pure."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class OrganizationFacts:
    """An organization and the namespace that is its own on the cluster."""

    id: UUID
    name: str
    display_name: str
    description: str
    enabled: bool
    namespace: str
