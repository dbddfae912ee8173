"""KubeVirt in the sandbox cluster: its kinds, its admission, its controllers and its power subresources."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from clusters.sandbox.admission import Denial
from clusters.sandbox.cdi.pace import chosen
from clusters.sandbox.crds import custom_resource_definitions
from clusters.sandbox.errors import ApiError
from clusters.sandbox.kubevirt import mutate, seed, validate
from clusters.sandbox.kubevirt.causes import MUTATOR, VALIDATOR, VMI_VALIDATOR, DeniedError
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.nodes import Nodes
from clusters.sandbox.kubevirt.power import Power
from clusters.sandbox.kubevirt.vmis import VMIS, Instances
from clusters.sandbox.kubevirt.vms import VMS, Machines

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
CONTROLLERS = "OVIM_SANDBOX_CONTROLLERS"


def controllers_wanted(asked: bool | None) -> bool:
    """On unless the caller or OVIM_SANDBOX_CONTROLLERS=off says otherwise (replays record no controllers)."""
    return os.environ.get(CONTROLLERS, "on") != "off" if asked is None else asked


def install(cluster: Cluster, webhooks: bool, *, controllers: bool | None = None, pace: str | None = None) -> None:
    """Kinds and instance types always; admission, and controllers with nodes and subresources, as asked."""
    for crd in custom_resource_definitions("kubevirt.io", "instancetype.kubevirt.io"):
        cluster.install_crd(crd)
    seed.plant_types(cluster)
    gates = Gates()
    if webhooks:
        _admission(cluster, gates)
    if not controllers_wanted(controllers):
        return
    seed.plant(cluster)
    speed = chosen(pace)
    Nodes(cluster, speed)
    Instances(cluster, speed, gates)
    Machines(cluster, speed, gates)
    Power(cluster)


def _admission(cluster: Cluster, gates: Gates) -> None:
    def mutate_vm(operation: str, new: Object, old: Object | None) -> Object:
        try:
            return mutate.mutate(operation, new, old, cluster.get, gates)
        except DeniedError as denied:
            raise ApiError(denied.status(MUTATOR)) from denied

    def validate_vm(operation: str, new: Object, old: Object | None) -> Denial | None:
        try:
            warnings = validate.validate(operation, new, old, cluster.get, gates)
        except DeniedError as denied:
            raise ApiError(denied.status(VALIDATOR)) from denied
        return Denial("", warnings=warnings) if warnings else None

    def validate_vmi(operation: str, new: Object, _old: Object | None) -> Denial | None:
        if operation == "CREATE":
            try:
                validate.validate_instance(new, gates)
            except DeniedError as denied:
                raise ApiError(denied.status(VMI_VALIDATOR)) from denied
        return None

    cluster.register_admission(VMS, mutate=mutate_vm, validate=validate_vm)
    cluster.register_admission(VMIS, mutate=None, validate=validate_vmi)
