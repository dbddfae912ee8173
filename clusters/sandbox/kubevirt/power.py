"""subresources.kubevirt.io: start, stop, restart, pause, unpause, as virt-api answers them (facts/kubevirt.md 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox import errors
from clusters.sandbox.cdi.objects import condition, drop_condition, set_condition
from clusters.sandbox.kubevirt.vm_status import FINAL, strategy
from clusters.sandbox.kubevirt.vmis import VMIS
from clusters.sandbox.kubevirt.vms import VMS

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster, SubresourceCall

Object = dict[str, Any]
MANAGER = "virt-api"
GROUP = "subresources.kubevirt.io"
GONE = "VM is not running"


class Power:
    """Handlers of the power subresources; they edit the VM, the controllers do the rest."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        for name, handler in (("start", self.start), ("stop", self.stop), ("restart", self.restart)):
            cluster.register_subresource(f"virtualmachines.{GROUP}", name, handler)
        for name, handler in (("pause", self.pause), ("unpause", self.unpause)):
            cluster.register_subresource(f"virtualmachineinstances.{GROUP}", name, handler)

    def start(self, call: SubresourceCall) -> None:
        vm, vmi = self._machine(call)
        wanted = strategy(vm)
        if vmi is not None and vmi.get("status", {}).get("phase") not in (*FINAL, None, ""):
            raise _conflict(call, "VM is already running")
        if wanted in ("Always", "Once"):
            raise _conflict(call, f"{wanted} does not support manual start requests")
        if wanted == "Halted":
            self._run_strategy(call, vm, "Always")
            return
        requests: list[Object] = []
        if vmi is not None:
            if wanted == "RerunOnFailure" and vmi["status"]["phase"] == "Failed":
                raise _conflict(call, "RerunOnFailure does not support starting VM from failed state")
            requests.append({"action": "Stop", "uid": vmi["metadata"]["uid"]})
        self._request(call, vm, [*requests, {"action": "Start"}])

    def stop(self, call: SubresourceCall) -> None:
        vm, vmi = self._machine(call)
        wanted = strategy(vm)
        alive = vmi is not None and vmi.get("status", {}).get("phase") not in FINAL
        if wanted in ("Always", "Once"):
            self._run_strategy(call, vm, "Halted")
            return
        if vmi is None or not alive:
            raise _conflict(call, GONE)
        if wanted == "Halted" and (call.body or {}).get("gracePeriod") is None:
            raise _conflict(call, "Halted only supports manual stop requests with a shorter graceperiod")
        self._request(call, vm, [{"action": "Stop", "uid": vmi["metadata"]["uid"]}])

    def restart(self, call: SubresourceCall) -> None:
        grace = (call.body or {}).get("gracePeriodSeconds")
        if grace is not None and grace > 0:
            raise errors.bad_request("For force restart, only gracePeriod=0 is supported for now")
        if grace is not None and grace < 0:
            raise errors.bad_request("gracePeriod has to be greater or equal to 0")
        vm, vmi = self._machine(call)
        wanted = strategy(vm)
        if wanted in ("Halted", "Once"):
            raise _conflict(call, f"RunStategy {wanted} does not support manual restart requests")
        if vmi is None:
            raise _conflict(call, "VM is not running: Halted")
        stop: Object = {"action": "Stop", "uid": vmi["metadata"]["uid"]}
        self._request(call, vm, [stop, {"action": "Start"}])

    def pause(self, call: SubresourceCall) -> None:
        vmi = self._running(call, GONE)
        if condition(vmi, "Paused"):
            raise _conflict(call, "VMI is already paused", "virtualmachineinstance")
        if self._dry(call):
            return
        set_condition(vmi["status"], "Paused", "True", "PausedByUser", "VMI was paused by user")
        self.cluster.update(VMIS, vmi, manager="virt-handler")

    def unpause(self, call: SubresourceCall) -> None:
        vmi = self._running(call, "VMI is not running")
        if not condition(vmi, "Paused"):
            raise _conflict(call, "VMI is not paused", "virtualmachineinstance")
        if self._dry(call):
            return
        drop_condition(vmi["status"], "Paused")
        self.cluster.update(VMIS, vmi, manager="virt-handler")

    def _machine(self, call: SubresourceCall) -> tuple[Object, Object | None]:
        vm = self.cluster.get(VMS, call.namespace, call.name)
        if vm is None:
            raise errors.not_found("virtualmachine", "kubevirt.io", call.name)
        return vm, self.cluster.get(VMIS, call.namespace, call.name)

    def _running(self, call: SubresourceCall, otherwise: str) -> Object:
        vmi = self.cluster.get(VMIS, call.namespace, call.name)
        if vmi is None:
            raise errors.not_found("virtualmachineinstance", "kubevirt.io", call.name)
        if vmi.get("status", {}).get("phase") != "Running":
            raise _conflict(call, otherwise, "virtualmachineinstance")
        return vmi

    def _dry(self, call: SubresourceCall) -> bool:
        return "All" in ((call.body or {}).get("dryRun") or [])

    def _run_strategy(self, call: SubresourceCall, vm: Object, value: str) -> None:
        """A power action edits spec.runStrategy, and so takes part in field ownership as virt-api."""
        if self._dry(call):
            return
        if "running" in vm["spec"]:
            vm["spec"]["running"] = value == "Always"
        else:
            vm["spec"]["runStrategy"] = value
        self.cluster.update(VMS, vm, manager=MANAGER)

    def _request(self, call: SubresourceCall, vm: Object, requests: list[Object]) -> None:
        if self._dry(call):
            return
        status = vm.setdefault("status", {})
        if status.get("stateChangeRequests"):
            text = "unable to complete request: stop/start already underway"
            raise _conflict(call, text)
        status["stateChangeRequests"] = requests
        self.cluster.update(VMS, vm, manager=MANAGER, subresource="status")


def _conflict(call: SubresourceCall, why: str, kind: str = "virtualmachine") -> errors.ApiError:
    return errors.conflict(kind, "kubevirt.io", call.name, why)
