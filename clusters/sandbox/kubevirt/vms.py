"""The VM controller: DataVolumes from templates, a VMI by run strategy, status on every way out."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.objects import event, owned_by, owner_reference
from clusters.sandbox.cdi.pace import Pace
from clusters.sandbox.cdi.worker import Worker
from clusters.sandbox.errors import ApiError
from clusters.sandbox.kubevirt import vm_status
from clusters.sandbox.kubevirt.defaults import vmi_defaults
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.gojson import encode
from clusters.sandbox.kubevirt.launcher import claims
from clusters.sandbox.kubevirt.live_update import apply_live, restart_reason
from clusters.sandbox.kubevirt.validate import start_spec
from clusters.sandbox.kubevirt.vm_status import FINAL, Facts, strategy
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
        self.not_before: dict[str, float] = {}
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
        requests = [item["action"] for item in vm.get("status", {}).get("stateChangeRequests") or []]
        final = vmi is not None and vmi.get("status", {}).get("phase") in FINAL
        if vmi is not None and final:
            return None, self._after_end(vm, vmi, restart="Start" in requests)
        if vmi is not None:
            if self._stop_wanted(vm, vmi) and not vmi["metadata"].get("deletionTimestamp"):
                self._stop(vm, vmi)
            else:
                self._live_update(vm, vmi)
            return None, None
        if not self._start_wanted(vm) or not self._disks_exist(vm):
            return None, None
        left = self.not_before.get(vm["metadata"]["uid"], 0.0) - time.monotonic()
        if left > 0:
            return None, left
        return self._start(vm), None

    def _start_wanted(self, vm: Object) -> bool:
        """Once and RerunOnFailure start by themselves only when the VM just got that strategy."""
        status, wanted = vm.get("status", {}), strategy(vm)
        asked = any(item["action"] == "Start" for item in status.get("stateChangeRequests") or [])
        if wanted in ("Once", "RerunOnFailure"):
            return asked or status.get("runStrategy") != wanted
        return wanted == "Always" or (wanted == "Manual" and asked)

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

    def _stop_wanted(self, vm: Object, vmi: Object) -> bool:
        if strategy(vm) == "Halted":
            return True
        for item in vm.get("status", {}).get("stateChangeRequests") or []:
            if item["action"] == "Stop" and item.get("uid") == vmi["metadata"]["uid"]:
                return True
        return False

    def _disks_exist(self, vm: Object) -> bool:
        """A VMI is made once every DataVolume of the VM is filled or waits for its first consumer."""
        namespace = vm["metadata"]["namespace"]
        for name in claims(vm["spec"]["template"].get("spec") or {}).values():
            volume = self.cluster.get(DATA_VOLUMES, namespace, name)
            phase = (volume or {}).get("status", {}).get("phase")
            if volume is not None and phase not in ("Succeeded", "WaitForFirstConsumer", "PendingPopulation"):
                return False
        return True

    def _start(self, vm: Object) -> tuple[str, str] | None:
        meta = vm["metadata"]
        spec = start_spec(vm, self.cluster.get, self.gates)
        template = vm["spec"]["template"].get("metadata") or {}
        started = json.dumps(encode(spec, "VirtualMachineInstanceSpec"))
        vmi_defaults(spec, self.gates)
        body = {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstance",
            "metadata": {
                "name": meta["name"],
                "namespace": meta["namespace"],
                "labels": dict(template.get("labels") or {}) | {"kubevirt.io/vm": meta["name"][:63]},
                "annotations": dict(template.get("annotations") or {}) | {STARTED_WITH: started},
                "finalizers": [CONTROLLER_FINALIZER, FINALIZER],
                "ownerReferences": [owner_reference(vm)],
            },
            "spec": spec,
        }
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
        self.cluster.delete(VMIS, meta["namespace"], meta["name"], uid=meta["uid"])
        text = f"Stopped the virtual machine by deleting the virtual machine instance {meta['uid']}"
        event(self.cluster, vm, "SuccessfulDelete", text, component=MANAGER)

    def _after_end(self, vm: Object, vmi: Object, *, restart: bool) -> float | None:
        """A finished VMI goes away where the strategy wants a new one or none; else it stays to be read."""
        ended = vmi["status"]["phase"]
        keep = strategy(vm) in ("Manual", "Once") or (strategy(vm) == "RerunOnFailure" and ended == "Succeeded")
        if not vmi["metadata"].get("deletionTimestamp") and (not keep or restart or self._stop_wanted(vm, vmi)):
            self.cluster.delete(VMIS, vmi["metadata"]["namespace"], vmi["metadata"]["name"], uid=vmi["metadata"]["uid"])
            return None
        if vmi["metadata"].get("deletionTimestamp"):
            self._let_go(vmi)
        return None

    def _let_go(self, vmi: Object) -> None:
        finalizers = vmi["metadata"].get("finalizers") or []
        if CONTROLLER_FINALIZER in finalizers and FINALIZER not in finalizers:
            vmi["metadata"]["finalizers"] = [item for item in finalizers if item != CONTROLLER_FINALIZER]
            self.cluster.update(VMIS, vmi, manager=MANAGER)

    def _delete(self, vm: Object, vmi: Object | None) -> float | None:
        meta = vm["metadata"]
        if vmi is not None:
            if not vmi["metadata"].get("deletionTimestamp"):
                self._stop(vm, vmi)
            elif vmi.get("status", {}).get("phase") in FINAL:
                self._let_go(vmi)
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
        facts = Facts(
            vm=vm,
            vmi=vmi,
            start_wanted=self._start_wanted(vm),
            stop_wanted=vmi is not None and self._stop_wanted(vm, vmi),
            volumes=tuple(volume for volume in found if volume is not None),
            unbound=unbound,
        )
        before = vm.get("status", {})
        after = deepcopy(before)
        restart = self.restart_reasons.get(meta["uid"], "") if vmi is not None else ""
        vm_status.fill(after, facts, failure, restart=restart)
        self._done_requests(after, vmi)
        if after != before:
            vm["status"] = after
            self.cluster.update(VMS, vm, manager=MANAGER, subresource="status")

    def _done_requests(self, status: Object, vmi: Object | None) -> None:
        """A start is done when a VMI runs, a stop when that VMI is gone."""
        kept = []
        requests = status.get("stateChangeRequests") or []
        for item in requests:
            if item["action"] == "Stop" and (vmi is None or vmi["metadata"]["uid"] != item.get("uid")):
                continue
            stopping = any(other["action"] == "Stop" for other in requests)
            if item["action"] == "Start" and vmi is not None and not stopping:
                continue
            kept.append(item)
        if kept:
            status["stateChangeRequests"] = kept
        else:
            status.pop("stateChangeRequests", None)

    def _tell(self, vm: Object, reason: str, text: str) -> None:
        known = [item for item in vm.get("status", {}).get("conditions", []) if item["type"] == "Failure"]
        if not known or known[0].get("message", "") not in text:
            event(self.cluster, vm, reason, text, component=MANAGER, warning=True)
