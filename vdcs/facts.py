"""What a VDC's desired state is built from. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
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


@dataclass(frozen=True)
class AccessFacts:
    """A namespace, and who is bound to which ClusterRole there. `syncs`: the cluster's setting; off, nobody is.

    `users`, `groups`: ClusterRole → names as the cluster knows them. `left_out`: who has a right and no such name, as
    (person, why).
    """

    namespace: str
    organization_id: UUID
    vdc_id: UUID | None = None
    syncs: bool = True
    users: Mapping[str, Collection[str]] = field(default_factory=dict)
    groups: Mapping[str, Collection[str]] = field(default_factory=dict)
    left_out: tuple[tuple[str, str], ...] = ()
    next_change: datetime | None = None  # when a role ends
