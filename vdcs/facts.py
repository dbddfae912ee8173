"""What a VDC's desired state is built from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True)
class VdcFacts:
    """A VDC with its place and its limits."""

    id: UUID
    name: str
    display_name: str
    description: str
    namespace: str
    organization_id: UUID
    organization_name: str
    organization_namespace: str
    isolated: bool = False
    min_disk_gib: int | None = None
    max_disk_gib: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
