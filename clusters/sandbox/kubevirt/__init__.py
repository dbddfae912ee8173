"""KubeVirt in the sandbox cluster: its kinds, its admission, its controllers and its subresources."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clusters.sandbox.cdi.pace import chosen
from clusters.sandbox.crds import custom_resource_definitions
from clusters.sandbox.kubevirt import roles, seed
from clusters.sandbox.kubevirt.agents import Agents
from clusters.sandbox.kubevirt.discovered import NAMES
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.guests import Guests
from clusters.sandbox.kubevirt.metrics_api import MetricsApi
from clusters.sandbox.kubevirt.nodes import Nodes
from clusters.sandbox.kubevirt.orders import Orders, VirtApi
from clusters.sandbox.kubevirt.power import GROUP, Power
from clusters.sandbox.kubevirt.prometheus import Prometheus
from clusters.sandbox.kubevirt.vmis import Instances
from clusters.sandbox.kubevirt.vms import Machines
from clusters.sandbox.kubevirt.webhooks import register

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

CONTROLLERS = "OVIM_SANDBOX_CONTROLLERS"


def controllers_wanted(asked: bool | None) -> bool:
    """On unless the caller or OVIM_SANDBOX_CONTROLLERS=off says otherwise (replays record no controllers)."""
    return os.environ.get(CONTROLLERS, "on") != "off" if asked is None else asked


def install(cluster: Cluster, webhooks: bool, *, controllers: bool | None = None, pace: str | None = None) -> None:
    """Kinds and instance types always; admission, and controllers with nodes and subresources, as asked."""
    for crd in custom_resource_definitions("kubevirt.io", "instancetype.kubevirt.io"):
        cluster.install_crd(crd)
    seed.plant_types(cluster)
    roles.plant(cluster)
    gates = Gates()
    api = VirtApi(cluster)
    if webhooks:
        register(cluster, gates, api)
    if not controllers_wanted(controllers):
        return
    seed.plant(cluster)
    speed = chosen(pace)
    guests = Guests(cluster)
    Nodes(cluster, speed, guests)
    Instances(cluster, speed, gates, guests)
    Machines(cluster, speed, gates)
    Power(cluster, guests, api)
    Agents(cluster, api)
    cluster.discovered[GROUP] = NAMES
    MetricsApi(cluster)
    Prometheus(cluster)
    Orders(cluster)
