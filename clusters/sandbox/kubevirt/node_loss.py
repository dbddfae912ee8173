"""A node that falls silent, and comes back: `ctl node lost|back NAME`.

Kubernetes marks the node and its pods, and evicts the pods; nobody on the node obeys. A real cluster then waits for
somebody to fence the node (the out-of-service taint); the sandbox does that by itself once the grace is over, or never
when the order says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clusters.sandbox.call import Call
from clusters.sandbox.cdi.objects import controller_of, event, now, set_condition
from clusters.sandbox.cdi.pace import Pace
from clusters.sandbox.deletes import DeleteOptions
from clusters.sandbox.errors import ApiError
from clusters.sandbox.kubevirt.guests import FINAL, PODS, VMIS, Guests

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
NODES = "nodes"
LIFECYCLE = "kube-controller-manager"
UNREACHABLE = "node.kubernetes.io/unreachable"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
SCHEDULABLE = "kubevirt.io/schedulable"
HEARTBEAT = "kubevirt.io/heartbeat"
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


class NodeLoss:
    """Carries out the order; `lost` itself is kept with the guests, who are what is lost."""

    def __init__(self, cluster: Cluster, pace: Pace, guests: Guests, wake: Callable[[str, str], None]) -> None:
        self.cluster = cluster
        self.pace = pace
        self.guests = guests
        self.wake = wake
        for node in cluster.list(NODES):  # a restarted sandbox knows its silent nodes by their taint
            if any(taint["key"] == UNREACHABLE for taint in node["spec"].get("taints") or []):
                guests.lost.add(node["metadata"]["name"])
        cluster.register_control("node", self.order)

    def order(self, order: Object) -> Object:
        """`grace`: seconds until the node is fenced, negative for never."""
        name, state = str(order.get("name", "")), order.get("state")
        node = self.cluster.get(NODES, None, name)
        if node is None:
            raise ValueError(f"no node {name}")
        if state == "lost":
            given = order.get("grace")
            self._lose(node, self.pace.node_grace if given is None else float(given))
        elif state == "back":
            self._return(node)
        else:
            raise ValueError("state must be lost or back")
        return {"node": name, "state": state, "lost": sorted(self.guests.lost)}

    def _lose(self, node: Object, grace: float) -> None:
        name = node["metadata"]["name"]
        self.guests.lost.add(name)
        self._condition(node, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
        taints = [{"key": UNREACHABLE, "effect": effect, "timeAdded": now()} for effect in ("NoSchedule", "NoExecute")]
        self._taint(name, add=taints)
        event(
            self.cluster, node, "NodeNotReady", f"Node {name} status is now: NodeNotReady", component="node-controller"
        )
        for pod in self._pods(name):
            set_condition(pod["status"], "Ready", "False")
            self.cluster.update(PODS, pod, manager=LIFECYCLE, subresource="status")
            event(self.cluster, pod, "NodeNotReady", "Node is not ready", component="node-controller", warning=True)
        if grace >= 0:
            self.cluster.after(grace, lambda: self._give_up(name))

    def _give_up(self, name: str) -> None:
        """virt-controller marks the node, its pods are evicted, and, as nobody ends them, taken away by force."""
        node = self.cluster.get(NODES, None, name)
        if node is None or name not in self.guests.lost:
            return
        text = "virt-handler is not responsive, marking node as unresponsive"
        event(self.cluster, node, "NodeUnresponsive", text, component="node-controller")
        node["metadata"].setdefault("labels", {})[SCHEDULABLE] = "false"
        self.cluster.update(NODES, node, manager="virt-controller")
        self._taint(name, add=[{"key": OUT_OF_SERVICE, "value": "nodeshutdown", "effect": "NoExecute"}])
        for pod in self._pods(name):
            text = f"Marking for deletion Pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
            event(self.cluster, pod, "TaintManagerEviction", text, component="taint-eviction-controller")
            self._collect(pod)

    def _collect(self, pod: Object) -> None:
        """The pod garbage collector: the pod fails, then goes without its kubelet's word."""
        meta = pod["metadata"]
        pod["status"]["phase"] = "Failed"
        text = "PodGC: node is out of service"
        set_condition(pod["status"], "DisruptionTarget", "True", "DeletionByPodGC", text)
        self.cluster.update(PODS, pod, manager=LIFECYCLE, subresource="status")
        self._fail_instance(pod)
        call = Call(self.cluster.resource(PODS), meta["namespace"], meta["name"], internal=True)
        try:
            self.cluster.deleter.delete(call, DeleteOptions(uid=meta["uid"], grace=0))
        except ApiError as error:
            if error.code != 404:
                raise

    def _fail_instance(self, pod: Object) -> None:
        owner = controller_of(pod) or {}
        vmi = self.cluster.get(VMIS, pod["metadata"]["namespace"], owner.get("name", ""))
        if vmi is None or vmi["metadata"]["uid"] != owner.get("uid") or vmi["status"].get("phase") in FINAL:
            return
        node = vmi["status"].get("nodeName", "")
        text = f"virt-handler on node {node} is not responsive, marking VMI as failed"
        event(self.cluster, vmi, "NodeUnresponsive", text, component="node-controller")
        vmi["status"]["reason"] = "NodeUnresponsive"
        self.cluster.update(VMIS, vmi, manager="virt-controller")

    def _return(self, node: Object) -> None:
        name = node["metadata"]["name"]
        self.guests.lost.discard(name)
        self._condition(node, "True", "KubeletReady", "kubelet is posting ready status")
        self._taint(name, drop=(UNREACHABLE, OUT_OF_SERVICE))
        found = self.cluster.get(NODES, None, name)
        if found is not None:
            found["metadata"].setdefault("labels", {})[SCHEDULABLE] = "true"
            found["metadata"].setdefault("annotations", {})[HEARTBEAT] = now()
            self.cluster.update(NODES, found, manager="virt-handler")
        event(self.cluster, node, "NodeReady", f"Node {name} status is now: NodeReady", component="kubelet")
        for pod in self._pods(name):
            if pod["status"].get("phase") == "Running":
                set_condition(pod["status"], "Ready", "True")
                self.cluster.update(PODS, pod, manager="kubelet", subresource="status")
            self.wake(pod["metadata"]["namespace"], pod["metadata"]["name"])

    def _pods(self, node: str) -> list[Object]:
        pods = self.cluster.list(PODS)
        return [pod for pod in pods if pod["spec"].get("nodeName") == node and pod["status"].get("phase") not in FINAL]

    def _condition(self, node: Object, value: str, reason: str, message: str) -> None:
        set_condition(node["status"], "Ready", value, reason, message)
        for kind in PRESSURES:
            if value == "Unknown":
                set_condition(node["status"], kind, value, reason, message)
            else:
                set_condition(node["status"], kind, "False")
        self.cluster.update(NODES, node, manager=LIFECYCLE, subresource="status")

    def _taint(self, name: str, *, add: list[Object] | None = None, drop: tuple[str, ...] = ()) -> None:
        node = self.cluster.get(NODES, None, name)
        if node is None:
            return
        fresh = [(taint["key"], taint["effect"]) for taint in add or []]
        kept = [
            taint
            for taint in node["spec"].get("taints") or []
            if taint["key"] not in drop and (taint["key"], taint["effect"]) not in fresh
        ]
        node["spec"]["taints"] = [*kept, *(add or [])]
        self.cluster.update(NODES, node, manager=LIFECYCLE)
