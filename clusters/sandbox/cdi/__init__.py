"""CDI in the sandbox cluster: its kinds, its controllers, and storage for its claims."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.datasources import DataSources
from clusters.sandbox.cdi.datavolumes import VOLUMES, DataVolumes
from clusters.sandbox.cdi.imports import ImportCrons
from clusters.sandbox.cdi.pace import chosen
from clusters.sandbox.cdi.seed import plant
from clusters.sandbox.cdi.storage import Provisioner
from clusters.sandbox.cdi.uploads import Uploads
from clusters.sandbox.cdi.validate import refusal
from clusters.sandbox.crds import custom_resource_definitions
from clusters.sandbox.errors import ApiError

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster


def install(cluster: Cluster, *, controllers: bool | None = None, pace: str | None = None) -> None:
    """Kinds always; classes, provisioner and importer only with `controllers` (replays want the kinds alone)."""
    for crd in custom_resource_definitions("cdi.kubevirt.io"):
        cluster.install_crd(crd)
    if controllers is False or (controllers is None and os.environ.get("OVIM_SANDBOX_CONTROLLERS") == "off"):
        return
    plant(cluster)
    _admission(cluster)
    speed = chosen(pace)
    Provisioner(cluster, speed)
    Uploads(cluster, DataVolumes(cluster, speed))
    DataSources(cluster)
    ImportCrons(cluster, speed)


def _admission(cluster: Cluster) -> None:
    def validate(operation: str, new: dict[str, Any], old: dict[str, Any] | None) -> None:
        status = refusal(operation, new, old, cluster.get)
        if status is not None:
            raise ApiError(status)

    cluster.register_admission(VOLUMES, mutate=None, validate=validate)
