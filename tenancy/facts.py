"""What an organization's desired state on one cluster is built from. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class Contact:
    """Whom to ask; either may be empty."""

    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class OrganizationFacts:
    """An organization and the namespace that is its own on the cluster."""

    id: UUID
    name: str
    display_name: str
    description: str
    enabled: bool
    namespace: str
    technical: Contact = Contact()
    billing: Contact = Contact()
    deletion_due_at: datetime | None = None
