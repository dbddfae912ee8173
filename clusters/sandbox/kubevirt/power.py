"""subresources.kubevirt.io: start, stop, restart, pause, reboot, reset, freeze, as virt-api answers them (4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clusters.sandbox import errors
from clusters.sandbox.cdi.objects import condition, drop_condition, set_condition
from clusters.sandbox.kubevirt.guests import Guests
from clusters.sandbox.kubevirt.orders import VirtApi
from clusters.sandbox.kubevirt.run_strategy import FINAL, phase_of, strategy
from clusters.sandbox.kubevirt.vmis import VMIS
from clusters.sandbox.kubevirt.vms import VMS
from clusters.sandbox.wire import Answer

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster, Subresource, SubresourceCall

Object = dict[str, Any]
Handler = Callable[["SubresourceCall"], None]
MANAGER = "virt-api"
GROUP = "subresources.kubevirt.io"
VM, VMI = "virtualmachine", "virtualmachineinstance"
VM_NOT_RUNNING, VMI_NOT_RUNNING = "VM is not running", "VMI is not running"
FORCED_GRACE = 1  # seconds a forced restart leaves the guest


class Power:
    """Handlers of the power subresources; they edit the VM or the VMI, the controllers do the rest."""

    def __init__(self, cluster: Cluster, guests: Guests, api: VirtApi) -> None:
        self.cluster = cluster
        self.guests = guests
        self.api = api
        for name, handler in (("start", self.start), ("stop", self.stop), ("restart", self.restart)):
            cluster.register_subresource(f"virtualmachines.{GROUP}", name, self._served(handler, 202))
        for name, handler in (
            ("pause", self.pause),
            ("unpause", self.unpause),
            ("softreboot", self.soft_reboot),
            ("reset", self.reset),
            ("freeze", self.freeze),
            ("unfreeze", self.unfreeze),
        ):
            cluster.register_subresource(f"virtualmachineinstances.{GROUP}", name, self._served(handler, 200))

    def _served(self, handler: Handler, code: int) -> Subresource:
        """What virt-api does by itself is accepted (202); what virt-handler did is done (200)."""

        def answered(call: SubresourceCall) -> Answer:
            self.api.service()
            if call.method != "PUT":
                raise errors.method_not_allowed()
            handler(call)
            return Answer(code, b"")

        return answered

    def start(self, call: SubresourceCall) -> None:
        vm, vmi = self._machine(call)
        wanted, phase = strategy(vm), phase_of(vmi)
        if vmi is not None and phase and phase not in FINAL:
            raise _conflict(call, "VM is already running")
        if wanted in ("Always", "Once"):
            raise _conflict(call, f"{wanted} does not support manual start requests")
        start: Object = {"action": "Start"}
        if _body(call).get("paused"):
            start["data"] = {"paused": "true"}
        if wanted == "Halted":
            if "data" in start:
                self._request(call, vm, [start])
            else:
                self._run_strategy(call, vm, "Always")
        elif wanted == "RerunOnFailure" and phase == "Failed":
            raise _conflict(call, "RerunOnFailure does not support starting VM from failed state")
        elif vmi is not None and phase in FINAL:
            self._request(call, vm, [{"action": "Stop", "uid": vmi["metadata"]["uid"]}, start])
        else:
            self._request(call, vm, [start])

    def stop(self, call: SubresourceCall) -> None:
        vm, vmi = self._machine(call)
        wanted, grace = strategy(vm), _body(call).get("gracePeriod")
        alive = vmi is not None and phase_of(vmi) not in FINAL
        before = int((vmi or {}).get("spec", {}).get("terminationGracePeriodSeconds") or 0)
        if vmi is not None and alive and grace is not None:
            vmi = self._shorten(call, vmi, grace)
        if wanted in ("Always", "Once"):
            self._run_strategy(call, vm, "Halted")
            return
        if vmi is None or not alive:
            raise _conflict(call, VM_NOT_RUNNING)
        if wanted == "Halted" and (grace is None or grace >= before):
            raise _conflict(call, "Halted only supports manual stop requests with a shorter graceperiod")
        self._request(call, vm, [{"action": "Stop", "uid": vmi["metadata"]["uid"]}])

    def restart(self, call: SubresourceCall) -> None:
        grace = _body(call).get("gracePeriodSeconds")
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
        if grace == 0:
            vmi = self._shorten(call, vmi, FORCED_GRACE)
        stop: Object = {"action": "Stop", "uid": vmi["metadata"]["uid"]}
        self._request(call, vm, [stop, {"action": "Start"}])

    def pause(self, call: SubresourceCall) -> None:
        vmi = self._running(call, VM_NOT_RUNNING)
        probe = vmi["spec"].get("livenessProbe")
        if probe is not None and "guestAgentPing" not in probe:
            why = "Pausing VMIs with a non-GuestAgentPing LivenessProbe is not supported"
            raise errors.forbidden(VMI, "kubevirt.io", call.name, why)
        if condition(vmi, "Paused"):
            raise _conflict(call, "VMI is already paused", VMI)
        if _dry(call):
            return
        set_condition(vmi["status"], "Paused", "True", "PausedByUser", "VMI was paused by user")
        self._handled(vmi)

    def unpause(self, call: SubresourceCall) -> None:
        vmi = self._running(call, VMI_NOT_RUNNING)
        if not condition(vmi, "Paused"):
            raise _conflict(call, "VMI is not paused", VMI)
        if _dry(call):
            return
        drop_condition(vmi["status"], "Paused")
        self._handled(vmi)

    def soft_reboot(self, call: SubresourceCall) -> None:
        vmi = self._running(call, VM_NOT_RUNNING)
        if condition(vmi, "Paused").get("status") == "True":
            raise _conflict(call, "VMI is paused", VMI)
        acpi = (vmi["spec"]["domain"].get("features") or {}).get("acpi") or {}
        if not condition(vmi, "AgentConnected") and acpi.get("enabled") is False:
            raise _conflict(call, "VMI neither have the agent connected nor the ACPI feature enabled", VMI)
        self.guests.reboot(vmi)

    def reset(self, call: SubresourceCall) -> None:
        vmi = self._instance(call)
        if phase_of(vmi) != "Running":
            why = f"Failed to reset non-running VMI with phase {phase_of(vmi)}: {VMI_NOT_RUNNING}"
            raise errors.error(500, "InternalError", f"Internal error occurred: {why}", {"causes": [{"message": why}]})
        self.guests.reboot(vmi)

    def freeze(self, call: SubresourceCall) -> None:
        vmi = self._running(call, VM_NOT_RUNNING)
        vmi["status"]["fsFreezeStatus"] = "frozen"
        self._handled(vmi)

    def unfreeze(self, call: SubresourceCall) -> None:
        vmi = self._running(call, VMI_NOT_RUNNING)
        vmi["status"].pop("fsFreezeStatus", None)
        self._handled(vmi)

    def _handled(self, vmi: Object) -> None:
        self.cluster.update(VMIS, vmi, manager="virt-handler")

    def _machine(self, call: SubresourceCall) -> tuple[Object, Object | None]:
        vm = self.cluster.get(VMS, call.namespace, call.name)
        if vm is None:
            raise errors.not_found(VM, "kubevirt.io", call.name)
        return vm, self.cluster.get(VMIS, call.namespace, call.name)

    def _instance(self, call: SubresourceCall) -> Object:
        vmi = self.cluster.get(VMIS, call.namespace, call.name)
        if vmi is None:
            raise errors.not_found(VMI, "kubevirt.io", call.name)
        return vmi

    def _running(self, call: SubresourceCall, otherwise: str) -> Object:
        vmi = self._instance(call)
        if phase_of(vmi) != "Running":
            raise _conflict(call, otherwise, VMI)
        return vmi

    def _shorten(self, call: SubresourceCall, vmi: Object, grace: int) -> Object:
        vmi["spec"]["terminationGracePeriodSeconds"] = grace
        return vmi if _dry(call) else self.cluster.update(VMIS, vmi, manager=MANAGER)

    def _run_strategy(self, call: SubresourceCall, vm: Object, value: str) -> None:
        """A power action edits spec.runStrategy, and so takes part in field ownership as virt-api."""
        if _dry(call):
            return
        if "running" in vm["spec"]:
            vm["spec"]["running"] = value == "Always"
        else:
            vm["spec"]["runStrategy"] = value
        self.cluster.update(VMS, vm, manager=MANAGER)

    def _request(self, call: SubresourceCall, vm: Object, requests: list[Object]) -> None:
        """A lone stop replaces what is under way; anything else has to wait for it. A new wish forgets failed starts."""
        status = vm.setdefault("status", {})
        if status.get("stateChangeRequests") and not (len(requests) == 1 and requests[0]["action"] == "Stop"):
            why = "unable to complete request: stop/start already underway"
            raise errors.error(500, "InternalError", f"Internal error occurred: {why}", {"causes": [{"message": why}]})
        if _dry(call):
            return
        status["stateChangeRequests"] = requests
        status.pop("startFailure", None)
        self.cluster.update(VMS, vm, manager=MANAGER, subresource="status")


def _body(call: SubresourceCall) -> Object:
    return call.body if isinstance(call.body, dict) else {}


def _dry(call: SubresourceCall) -> bool:
    return "All" in (_body(call).get("dryRun") or [])


def _conflict(call: SubresourceCall, why: str, kind: str = VM) -> errors.ApiError:
    return errors.conflict(kind, "kubevirt.io", call.name, why)
