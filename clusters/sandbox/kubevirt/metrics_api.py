"""metrics.k8s.io: what nodes and pods use now, as metrics-server answers it. Computed from the load model, stored never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from clusters.sandbox import errors
from clusters.sandbox.cdi.objects import controller_of
from clusters.sandbox.clock import CLOCK
from clusters.sandbox.kubevirt.load import MIB, Load
from clusters.sandbox.kubevirt.vmi_status import launcher_overhead
from clusters.sandbox.resources import Resource
from clusters.sandbox.selectors import predicate
from clusters.sandbox.structural import root_node
from clusters.sandbox.wire import Answer

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster, SubresourceCall

Object = dict[str, Any]
GROUP, VERSION = "metrics.k8s.io", "v1beta1"
VMIS = "virtualmachineinstances.kubevirt.io"
WINDOW = "15s"
IDLE_CPU, IDLE_MEMORY = 0.002, 20 * MIB  # a container of which nothing else is known
NODE_CPU, NODE_MEMORY = 0.35, 3 * 1024 * MIB  # what a node's own machinery takes


class MetricsApi:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        for plural, kind, namespaced, handler in (
            ("nodes", "NodeMetrics", False, self.nodes),
            ("pods", "PodMetrics", True, self.pods),
        ):
            resource = Resource(
                GROUP,
                VERSION,
                plural,
                kind,
                namespaced,
                root_node({}),
                singular="",
                list_kind=f"{kind}List",
                verbs=("get", "list"),
            )
            cluster.serve(resource, handler)

    def nodes(self, call: SubresourceCall) -> Answer:
        def measured(node: Object) -> Object:
            cpu, memory = NODE_CPU, float(NODE_MEMORY)
            for pod in self._running():
                if pod["spec"].get("nodeName") == node["metadata"]["name"]:
                    used = self._containers(pod)
                    cpu += sum(item[1] for item in used)
                    memory += sum(item[2] for item in used)
            return {**_head("NodeMetrics", node), "usage": _usage(cpu, memory)}

        silent = [node for node in self.cluster.list("nodes") if not _ready(node)]
        hidden = {node["metadata"]["name"] for node in silent}
        every = [node for node in self.cluster.list("nodes") if node["metadata"]["name"] not in hidden]
        return self._answer(call, "NodeMetrics", "nodes", every, measured)

    def pods(self, call: SubresourceCall) -> Answer:
        def measured(pod: Object) -> Object:
            used = self._containers(pod)
            containers = [{"name": name, "usage": _usage(cpu, memory)} for name, cpu, memory in used]
            return {**_head("PodMetrics", pod), "containers": containers}

        every = [pod for pod in self._running() if call.namespace in (None, pod["metadata"]["namespace"])]
        return self._answer(call, "PodMetrics", "pods", every, measured)

    def _answer(self, call: SubresourceCall, kind: str, plural: str, every: list[Object], measured: Any) -> Answer:
        if call.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        if call.name:
            found = next((item for item in every if item["metadata"]["name"] == call.name), None)
            if found is None:
                full = f"{call.namespace}/{call.name}" if call.namespace else call.name
                raise errors.not_found(f"{kind.lower()}s", GROUP, full)
            return Answer(200, orjson.dumps(measured(found)))
        matches = predicate(call.query.get("labelSelector", ""), "", self.cluster.resource(plural))
        items = [measured(item) for item in every if matches is None or matches(item)]
        body = {"kind": f"{kind}List", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": items}
        return Answer(200, orjson.dumps(body))

    def _running(self) -> list[Object]:
        return [pod for pod in self.cluster.list("pods") if pod.get("status", {}).get("phase") == "Running"]

    def _containers(self, pod: Object) -> list[tuple[str, float, float]]:
        """(name, cores, bytes) per container; the guest's load is the compute container's."""
        owner = controller_of(pod) or {}
        vmi = None
        if owner.get("kind") == "VirtualMachineInstance":
            vmi = self.cluster.get(VMIS, pod["metadata"]["namespace"], owner["name"])
        found = []
        sidecars = [item for item in pod["spec"].get("initContainers") or [] if item.get("restartPolicy") == "Always"]
        for container in [*pod["spec"]["containers"], *sidecars]:
            cpu, memory = IDLE_CPU, float(IDLE_MEMORY)
            if vmi is not None and container["name"] == "compute":
                load = Load(vmi)
                cpu, memory = load.cores() + 0.01, load.memory_used() + launcher_overhead(vmi) / 2
            found.append((container["name"], cpu, memory))
        return found


def _ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _head(kind: str, obj: Object) -> Object:
    names = ("name", "namespace", "labels")
    meta = {name: obj["metadata"][name] for name in names if obj["metadata"].get(name)}
    stamp = CLOCK.stamp()
    return {
        "kind": kind,
        "apiVersion": f"{GROUP}/{VERSION}",
        "metadata": meta | {"creationTimestamp": stamp},
        "timestamp": stamp,
        "window": WINDOW,
    }


def _usage(cores: float, memory: float) -> Object:
    return {"cpu": f"{int(cores * 1e9)}n", "memory": f"{int(memory) // 1024}Ki"}
