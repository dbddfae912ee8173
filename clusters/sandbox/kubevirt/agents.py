"""What the guest agent tells: guestosinfo, userlist, filesystemlist, and the machine with its type applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox import errors
from clusters.sandbox.cdi.objects import condition
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.guest_disks import file_systems
from clusters.sandbox.kubevirt.load import Load
from clusters.sandbox.kubevirt.orders import VirtApi
from clusters.sandbox.kubevirt.run_strategy import phase_of
from clusters.sandbox.kubevirt.validate import start_spec
from clusters.sandbox.kubevirt.vmi_status import GUEST, KERNEL
from clusters.sandbox.kubevirt.vmis import VMIS
from clusters.sandbox.kubevirt.vms import VMS
from clusters.sandbox.wire import Answer

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster, SubresourceCall

Object = dict[str, Any]
GROUP = "subresources.kubevirt.io"
VERSION = "kubevirt.io/v1"
AGENT = "10.1.0"
COMMANDS = ("guest-info", "guest-get-osinfo", "guest-get-users", "guest-fsfreeze-freeze", "guest-get-fsinfo")


class Agents:
    def __init__(self, cluster: Cluster, api: VirtApi) -> None:
        self.cluster = cluster
        self.api = api
        for name, handler in (
            ("guestosinfo", self.system),
            ("userlist", self.users),
            ("filesystemlist", self.filesystems),
        ):
            cluster.register_subresource(f"virtualmachineinstances.{GROUP}", name, self._asked(handler))
        cluster.register_subresource(f"virtualmachines.{GROUP}", "expand-spec", self.expand)

    def _asked(self, handler: Any) -> Any:
        """Only a running machine with an agent answers; virt-api wraps its refusal into a 500 of plain text."""

        def asked(call: SubresourceCall) -> Any:
            self.api.service()
            vmi = self.cluster.get(VMIS, call.namespace, call.name)
            if vmi is None:
                problem = errors.not_found("virtualmachineinstance", "kubevirt.io", call.name)
            elif phase_of(vmi) != "Running":
                problem = errors.conflict("virtualmachineinstance", "kubevirt.io", call.name, "VMI is not running")
            elif condition(vmi, "AgentConnected").get("status") != "True":
                why = "VMI does not have guest agent connected"
                problem = errors.conflict("virtualmachineinstance", "kubevirt.io", call.name, why)
            else:
                return handler(vmi)
            return Answer(500, str(problem).encode(), "text/plain")

        return asked

    def system(self, vmi: Object) -> Object:
        return {
            "apiVersion": VERSION,
            "kind": "VirtualMachineInstanceGuestAgentInfo",
            "guestAgentVersion": AGENT,
            "supportedCommands": [{"name": name, "enabled": True} for name in COMMANDS],
            "hostname": vmi["spec"].get("hostname") or vmi["metadata"]["name"],
            "os": {**GUEST, **KERNEL},
            "timezone": "UTC, 0",
            "userList": self._logins(vmi),
            "fsInfo": {"disks": file_systems(self.cluster.get, vmi)},
        }

    def users(self, vmi: Object) -> Object:
        return {
            "apiVersion": VERSION,
            "kind": "VirtualMachineInstanceGuestOSUserList",
            "metadata": {},
            "items": self._logins(vmi),
        }

    def filesystems(self, vmi: Object) -> Object:
        return {
            "apiVersion": VERSION,
            "kind": "VirtualMachineInstanceFileSystemList",
            "metadata": {},
            "items": file_systems(self.cluster.get, vmi),
        }

    def _logins(self, vmi: Object) -> list[Object]:
        """Nobody is logged in, except at every third machine its own user."""
        load = Load(vmi)
        return [{"userName": "fedora", "loginTime": load.login}] if load.share("login") < 1 / 3 else []

    def expand(self, call: SubresourceCall) -> Object:
        vm = self.cluster.get(VMS, call.namespace, call.name)
        if vm is None:
            raise errors.not_found("virtualmachine", "kubevirt.io", call.name)
        vm["spec"]["template"]["spec"] = start_spec(vm, self.cluster.get, Gates())
        for key in ("instancetype", "preference"):
            vm["spec"].pop(key, None)
        return vm
