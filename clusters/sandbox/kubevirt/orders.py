"""Orders to the machinery as a whole: the controllers' clock, virt-api down, and a look at the machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox import errors
from clusters.sandbox.clock import CLOCK
from clusters.sandbox.errors import ApiError

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
VMS, VMIS = "virtualmachines.kubevirt.io", "virtualmachineinstances.kubevirt.io"
CLOCKED = (VMS, VMIS, "datavolumes.cdi.kubevirt.io", "dataimportcrons.cdi.kubevirt.io")
SERVICE = "virt-api.kubevirt.svc:443"
ADDRESS = "10.0.34.17:443"


class VirtApi:
    """Whether virt-api answers; its webhooks fail closed."""

    def __init__(self, cluster: Cluster) -> None:
        self.down = False
        cluster.register_control("virt-api", self.order)

    def order(self, order: Object) -> Object:
        if order.get("state") not in ("up", "down"):
            raise ValueError("state must be up or down")
        self.down = order["state"] == "down"
        return {"virt-api": order["state"]}

    def webhook(self, name: str, path: str) -> None:
        """Raises what the API server says when it can't call the webhook."""
        if not self.down:
            return
        call = f'Post "https://{SERVICE}/{path}?timeout=10s": dial tcp {ADDRESS}: connect: connection refused'
        why = f'failed calling webhook "{name}": failed to call webhook: {call}'
        raise errors.error(500, "InternalError", f"Internal error occurred: {why}", {"causes": [{"message": why}]})

    def service(self) -> None:
        """Raises what the aggregator says when the service behind an API is gone."""
        if self.down:
            raise ApiError(errors.status(503, "ServiceUnavailable", "service unavailable", {}))


class Orders:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        cluster.register_control("clock", self.clock)
        cluster.register_control("vms", self.machines)

    def clock(self, order: Object) -> Object:
        """`offset`: seconds ahead of the real time from now on; whoever waits looks again."""
        CLOCK.offset = float(order.get("offset", 0))
        for resource in CLOCKED:
            if resource not in self.cluster.registry.by_key:
                continue
            for obj in self.cluster.list(resource):
                self.cluster.wake_all(resource, obj["metadata"]["namespace"], obj["metadata"]["name"])
        return {"offset": CLOCK.offset, "now": CLOCK.stamp()}

    def machines(self, _order: Object) -> Object:
        """Every VM: its strategy, status, where it runs, and why not when it does not."""
        rows = []
        for vm in self.cluster.list(VMS):
            meta, status = vm["metadata"], vm.get("status", {})
            vmi = (self.cluster.get(VMIS, meta["namespace"], meta["name"]) or {}).get("status", {})
            failure: Object = next((item for item in status.get("conditions") or [] if item["type"] == "Failure"), {})
            rows.append(
                {
                    "vm": f"{meta['namespace']}/{meta['name']}",
                    "strategy": vm["spec"].get("runStrategy") or ("Always" if vm["spec"].get("running") else "Halted"),
                    "status": status.get("printableStatus", ""),
                    "phase": vmi.get("phase", ""),
                    "node": vmi.get("nodeName", ""),
                    "requests": [item["action"] for item in status.get("stateChangeRequests") or []],
                    "failures": (status.get("startFailure") or {}).get("consecutiveFailCount", 0),
                    "why": failure.get("message", ""),
                }
            )
        return {"vms": rows}
