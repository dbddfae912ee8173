"""The VM controller: DataVolumes from templates, a VMI by run strategy, status on every way out."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.objects import event, owned_by, owner_reference
from clusters.sandbox.cdi.pace import Pace
from clusters.sandbox.cdi.worker import Worker
from clusters.sandbox.errors import ApiError
from clusters.sandbox.kubevirt import revisions, start_failure, vm_status
from clusters.sandbox.kubevirt.defaults import vmi_defaults
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.gojson import encode
from clusters.sandbox.kubevirt.launcher import claims
from clusters.sandbox.kubevirt.live_update import apply_live, restart_reason
from clusters.sandbox.kubevirt.run_strategy import (
    FINAL,
    end_wanted,
    paused_start_requested,
    phase_of,
    rerun_after,
    start_requested,
    start_wanted,
    strategy,
    trim_requests,
)
from clusters.sandbox.kubevirt.validate import start_spec
from clusters.sandbox.kubevirt.vm_status import Facts
from clusters.sandbox.kubevirt.vmis import CLAIMS, DATA_VOLUMES, FINALIZER, VMIS

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
VMS = "virtualmachines.kubevirt.io"
# KubeVirt keeps this in a ControllerRevision; the sandbox keeps it beside the machine it describes.
STARTED_WITH = "sandbox.ovim.io/started-with"
CONTROLLER_FINALIZER = "kubevirt.io/virtualMachineControllerFinalize"
MANAGER = "virt-controller"


class Machines:
    """Reconciles VirtualMachines. A VM and its VMI share their name, a DataVolume knows its users by an index."""

    def __init__(self, cluster: Cluster, pace: Pace, gates: Gates) -> None:
        self.cluster = cluster
        self.pace = pace
        self.gates = gates
        self.users: dict[tuple[str, str], set[str]] = {}
        self.restart_reasons: dict[str, str] = {}  # by VM uid, found anew on every run
        self.worker = Worker(cluster, "machines", self.reconcile)
        for resource in (VMS, VMIS):
            self.worker.subscribe(resource)
        cluster.subscribe([DATA_VOLUMES, CLAIMS], self._disk_changed)

    def _disk_changed(self, _resource: str, namespace: str | None, name: str) -> None:
        for user in tuple(self.users.get((namespace or "", name), ())):
            self.worker.wake(namespace, user)

    def reconcile(self, namespace: str, name: str) -> float | None:
        vm = self.cluster.get(VMS, namespace, name)
        vmi = self.cluster.get(VMIS, namespace, name)
        if vm is None:
            return None
        if vmi is not None and not owned_by(vmi, vm):
            vmi = None
        if vm["metadata"].get("deletionTimestamp"):
            return self._delete(vm, vmi)
        if CONTROLLER_FINALIZER not in (vm["metadata"].get("finalizers") or []):
            vm["metadata"]["finalizers"] = [*(vm["metadata"].get("finalizers") or []), CONTROLLER_FINALIZER]
            vm["metadata"]["annotations"] = (vm["metadata"].get("annotations") or {}) | revisions.API_VERSIONS
            vm = self.cluster.update(VMS, vm, manager=MANAGER)
        template = vm["spec"]["template"].get("spec") or {}
        for claim in claims(template).values():
            self.users.setdefault((namespace, claim), set()).add(name)
        failure = self._data_volumes(vm)
        again: float | None = None
        if failure is None:
            failure, again = self._power(vm, vmi)
        self._status(vm, failure)
        return again if failure is None else self.pace.retry_quota

    # disks

    def _data_volumes(self, vm: Object) -> tuple[str, str] | None:
        meta = vm["metadata"]
        if DATA_VOLUMES not in self.cluster.registry.by_key:
            return None
        for template in vm["spec"].get("dataVolumeTemplates") or []:
            name = template["metadata"]["name"]
            if self.cluster.get(DATA_VOLUMES, meta["namespace"], name) is not None:
                continue
            if self.cluster.get(CLAIMS, meta["namespace"], name) is not None:
                continue  # the claim outlived its volume: it has been filled already
            labels = dict(template["metadata"].get("labels") or {}) | {"kubevirt.io/created-by": meta["uid"]}
            body = {
                "apiVersion": "cdi.kubevirt.io/v1beta1",
                "kind": "DataVolume",
                "metadata": {
                    "name": name,
                    "namespace": meta["namespace"],
                    "labels": labels,
                    "annotations": dict(template["metadata"].get("annotations") or {}),
                    "ownerReferences": [owner_reference(vm)],
                },
                "spec": template["spec"],
            }
            try:
                self.cluster.create(DATA_VOLUMES, body, manager=MANAGER)
            except ApiError as error:
                text = f"Error creating DataVolume {name}: {error}"
                self._tell(vm, "FailedDataVolumeCreate", text)
                return "FailedCreate", f"Error encountered while creating DataVolumes: {text}"
            event(self.cluster, vm, "SuccessfulDataVolumeCreate", f"Created DataVolume {name}", component=MANAGER)
        return None

    # power

    def _power(self, vm: Object, vmi: Object | None) -> tuple[tuple[str, str] | None, float | None]:
        """(failure, when to look again) after doing what the run strategy and the requests ask for."""
        if vmi is not None:
            if end_wanted(vm, vmi):
                self._stop(vm, vmi)
            elif phase_of(vmi) not in FINAL:
                revisions.follow(self.cluster, vm, vmi)
                self._live_update(vm, vmi)
            return None, None
        if strategy(vm) == "Halted" and start_requested(vm):
            self._leave_halt(vm)
            return None, 0.0
        if not start_wanted(vm) or not self._disks_exist(vm):
            return None, None
        left = start_failure.left(vm)
        if left > 0:
            return None, left
        return self._start(vm), None

    def _leave_halt(self, vm: Object) -> None:
        """A start request on a halted VM (start paused) becomes the strategy Always; the request stays for the VMI."""
        if "running" in vm["spec"]:
            vm["spec"]["running"] = True
        else:
            vm["spec"]["runStrategy"] = "Always"
        vm |= self.cluster.update(VMS, vm, manager=MANAGER)

    def _live_update(self, vm: Object, vmi: Object) -> None:
        """Brings changes to the running machine; what can't be brought waits for a restart, and stops the rest."""
        self.restart_reasons.pop(vm["metadata"]["uid"], None)
        started = vmi["metadata"].get("annotations", {}).get(STARTED_WITH)
        if started is None or vmi["metadata"].get("deletionTimestamp"):
            return
        wanted = encode(start_spec(vm, self.cluster.get, self.gates), "VirtualMachineInstanceSpec")
        reason = restart_reason(json.loads(started), wanted)
        if not reason and vmi.get("status", {}).get("phase") == "Running":
            before = deepcopy(vmi)
            reason = apply_live(vmi, wanted)
            if not reason and vmi != before:
                self.cluster.update(VMIS, vmi, manager=MANAGER)
        if reason:
            self.restart_reasons[vm["metadata"]["uid"]] = reason

    def _disks_exist(self, vm: Object) -> bool:
        """A VMI is made once the DataVolumes of the VM's own templates are filled or wait for their first consumer.

        Others' are waited for by the VMI.
        """
        meta = vm["metadata"]
        for template in vm["spec"].get("dataVolumeTemplates") or []:
            volume = self.cluster.get(DATA_VOLUMES, meta["namespace"], template["metadata"]["name"])
            phase = (volume or {}).get("status", {}).get("phase")
            if volume is not None and phase not in ("Succeeded", "WaitForFirstConsumer", "PendingPopulation"):
                return False
        return True

    def _start(self, vm: Object) -> tuple[str, str] | None:
        meta = vm["metadata"]
        spec = start_spec(vm, self.cluster.get, self.gates)
        if paused_start_requested(vm):
            spec["startStrategy"] = "Paused"
        template = vm["spec"]["template"].get("metadata") or {}
        started = json.dumps(encode(spec, "VirtualMachineInstanceSpec"))
        vmi_defaults(spec, self.gates)
        body = {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstance",
            "metadata": {
                "name": meta["name"],
                "namespace": meta["namespace"],
                "labels": dict(template.get("labels") or {}),
                "annotations": dict(template.get("annotations") or {})
                | revisions.observed(vm)
                | {STARTED_WITH: started},
                "finalizers": [CONTROLLER_FINALIZER, FINALIZER],
                "ownerReferences": [owner_reference(vm)],
            },
            "spec": spec,
        }
        body["status"] = {"virtualMachineRevisionName": revisions.keep(self.cluster, vm)}
        try:
            self.cluster.create(VMIS, body, manager=MANAGER)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                return None
            text = f"Error creating virtual machine instance: {error}"
            self._tell(vm, "FailedCreate", text)
            return "FailedCreate", str(error)
        text = f"Started the virtual machine by creating the new virtual machine instance {meta['name']}"
        event(self.cluster, vm, "SuccessfulCreate", text, component=MANAGER)
        return None

    def _stop(self, vm: Object, vmi: Object) -> None:
        meta = vmi["metadata"]
        if meta.get("deletionTimestamp"):
            return
        self.cluster.delete(VMIS, meta["namespace"], meta["name"], uid=meta["uid"])
        text = f"Stopped the virtual machine by deleting the virtual machine instance {meta['uid']}"
        event(self.cluster, vm, "SuccessfulDelete", text, component=MANAGER)
        if rerun_after(vm, vmi):
            status = vm.setdefault("status", {})
            status["stateChangeRequests"] = [*(status.get("stateChangeRequests") or []), {"action": "Start"}]
            vm |= self.cluster.update(VMS, vm, manager=MANAGER, subresource="status")

    def _let_go(self, vmi: Object) -> None:
        finalizers = vmi["metadata"].get("finalizers") or []
        if CONTROLLER_FINALIZER in finalizers and FINALIZER not in finalizers:
            vmi["metadata"]["finalizers"] = [item for item in finalizers if item != CONTROLLER_FINALIZER]
            self.cluster.update(VMIS, vmi, manager=MANAGER)

    def _delete(self, vm: Object, vmi: Object | None) -> float | None:
        meta = vm["metadata"]
        if vmi is not None:
            self._stop(vm, vmi)
            self._status(vm, None)
            return None
        for claim in claims(vm["spec"]["template"].get("spec") or {}).values():
            self.users.get((meta["namespace"], claim), set()).discard(meta["name"])
        if CONTROLLER_FINALIZER in (meta.get("finalizers") or []):
            meta["finalizers"] = [item for item in meta["finalizers"] if item != CONTROLLER_FINALIZER]
            self.cluster.update(VMS, vm, manager=MANAGER)
        return None

    # status

    def _status(self, vm: Object, failure: tuple[str, str] | None) -> None:
        meta = vm["metadata"]
        vmi = self.cluster.get(VMIS, meta["namespace"], meta["name"])
        if vmi is not None and not owned_by(vmi, vm):
            vmi = None
        names = claims(vm["spec"]["template"].get("spec") or {}).values()
        found = [self.cluster.get(DATA_VOLUMES, meta["namespace"], name) for name in names]
        unbound = False
        for name in names:
            claim = self.cluster.get(CLAIMS, meta["namespace"], name)
            unbound = unbound or (claim is not None and claim.get("status", {}).get("phase") != "Bound")
        before = vm.get("status", {})
        after = deepcopy(before)
        start_failure.sync(vm, after, vmi, self.pace.crash)
        facts = Facts(
            vm=vm,
            vmi=vmi,
            start_wanted=start_wanted(vm),
            stop_wanted=vmi is not None and end_wanted(vm, vmi),
            volumes=tuple(volume for volume in found if volume is not None),
            unbound=unbound,
            failures=(after.get("startFailure") or {}).get("consecutiveFailCount", 0),
            failing=failure is not None,
        )
        restart = self.restart_reasons.get(meta["uid"], "") if vmi is not None else ""
        vm_status.fill(after, facts, failure, restart=restart)
        trim_requests(after, vmi)
        if after != before:
            vm["status"] = after
            self.cluster.update(VMS, vm, manager=MANAGER, subresource="status")
        if phase_of(vmi) in FINAL and vmi is not None:
            self._let_go(vmi)

    def _tell(self, vm: Object, reason: str, text: str) -> None:
        known = [item for item in vm.get("status", {}).get("conditions", []) if item["type"] == "Failure"]
        if not known or known[0].get("message", "") not in text:
            event(self.cluster, vm, reason, text, component=MANAGER, warning=True)
