"""virt-api's admission webhooks, registered with the API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox.admission import Denial
from clusters.sandbox.call import Call
from clusters.sandbox.errors import ApiError
from clusters.sandbox.kubevirt import mutate, validate
from clusters.sandbox.kubevirt.causes import (
    MUTATOR,
    NOT_SUPPORTED,
    VALIDATOR,
    VMI_VALIDATOR,
    Cause,
    DeniedError,
    denied,
)
from clusters.sandbox.kubevirt.defaults import vmi_defaults
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.gojson import decode
from clusters.sandbox.kubevirt.orders import VMIS, VMS, VirtApi
from clusters.sandbox.kubevirt.validate_devices import RESTRICTED_LABELS
from clusters.sandbox.kubevirt.vmis import FINALIZER

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
VMI_MUTATOR = "virtualmachineinstances-mutator.kubevirt.io"
URL = "https://virt-api.kubevirt.svc:443"
VMI_UPDATER = "virtualmachineinstances-update-validator.kubevirt.io"


def register(cluster: Cluster, gates: Gates, api: VirtApi) -> None:
    def mutate_vm(operation: str, new: Object, old: Object | None) -> Object:
        api.webhook(MUTATOR, "virtualmachines-mutate")
        try:
            return mutate.mutate(operation, new, old, cluster.get, gates)
        except DeniedError as refusal:
            raise ApiError(refusal.status(MUTATOR)) from refusal

    def validate_vm(operation: str, new: Object, old: Object | None) -> Denial | None:
        try:
            warnings = validate.validate(operation, new, old, cluster.get, gates)
        except DeniedError as refusal:
            raise ApiError(refusal.status(VALIDATOR)) from refusal
        return Denial("", warnings=warnings) if warnings else None

    def mutate_vmi(operation: str, new: Object, _old: Object | None) -> Object:
        api.webhook(VMI_MUTATOR, "virtualmachineinstances-mutate")
        try:
            return complete_instance(new, gates) if operation == "CREATE" else new
        except DeniedError as refusal:
            raise ApiError(refusal.status(VMI_MUTATOR)) from refusal

    def validate_vmi(operation: str, new: Object, _old: Object | None) -> Denial | None:
        if operation == "CREATE":
            try:
                validate.validate_instance(new, gates)
            except DeniedError as refusal:
                raise ApiError(refusal.status(VMI_VALIDATOR)) from refusal
        return None

    cluster.register_admission(
        VMS, mutate=mutate_vm, validate=validate_vm, mutator=MUTATOR, validator=VALIDATOR, url=f"{URL}/virtualmachines"
    )
    url = f"{URL}/virtualmachineinstances"
    cluster.register_admission(
        VMIS, mutate=mutate_vmi, validate=validate_vmi, mutator=VMI_MUTATOR, validator=VMI_VALIDATOR, url=url
    )
    cluster.admission.checks.append(instance_update)


def complete_instance(vmi: Object, gates: Gates) -> Object:
    """What the mutator adds to a new instance: defaults, and the finalizer that its end waits for."""
    vmi["spec"] = decode(vmi.get("spec") or {}, "VirtualMachineInstanceSpec", "spec")
    vmi_defaults(vmi["spec"], gates)
    finalizers = vmi["metadata"].get("finalizers") or []
    if FINALIZER not in finalizers:
        vmi["metadata"]["finalizers"] = [*finalizers, FINALIZER]
    return vmi


def instance_update(call: Call, new: Object, old: Object | None) -> None:
    """Only KubeVirt itself may change what a running machine is made of."""
    if call.internal or old is None or call.subresource or call.resource.key != VMIS:
        return
    text = ""
    if new.get("spec") != old.get("spec"):
        text = "update of VMI object is restricted"
    elif _reserved(new) != _reserved(old):
        text = "modification of the following reserved kubevirt.io/ labels on a VMI object is prohibited"
    if text:
        raise ApiError(denied([Cause(text, "", NOT_SUPPORTED)]).status(VMI_UPDATER))


def _reserved(obj: Object) -> Object:
    labels = obj["metadata"].get("labels") or {}
    return {key: value for key, value in labels.items() if key in RESTRICTED_LABELS}
