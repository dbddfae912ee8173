"""KubeVirt's feature gates as recorded: Beta and GA ones on, Alpha ones off (KubeVirt main, 1.9 line)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BETA = frozenset(
    {
        "ImageVolume",
        "Snapshot",
        "WorkloadEncryptionSEV",
        "KubevirtSeccompProfile",
        "NodeRestriction",
        "GPUsWithDRA",
        "HostDevicesWithDRA",
        "DecentralizedLiveMigration",
        "DeclarativeHotplugVolumes",
        "PasstBinding",
        "RebootPolicy",
        "Template",
    }
)


# What KubeVirt may run by architecture: its default machine type, and the patterns it accepts.
MACHINES = {
    "amd64": ("q35", ("q35*", "pc-q35*")),
    "arm64": ("virt", ("virt*",)),
    "s390x": ("s390-ccw-virtio", ("s390-ccw-virtio*",)),
}


@dataclass(frozen=True)
class Gates:
    """What this cluster's KubeVirt switched on, and the few configuration values the rules look at."""

    enabled: frozenset[str] = BETA
    architecture: str = "amd64"
    live_update: bool = True
    max_hotplug_ratio: int = 4
    cpu_allocation_ratio: int = 10
    memory_overcommit: int = 100
    eviction_strategy: str = "None"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def default_machine(self, architecture: str) -> str:
        return MACHINES.get(architecture, MACHINES["amd64"])[0]

    def machine_types(self, architecture: str) -> tuple[str, ...]:
        return MACHINES.get(architecture, MACHINES["amd64"])[1]

    def on(self, name: str) -> bool:
        return name in self.enabled
