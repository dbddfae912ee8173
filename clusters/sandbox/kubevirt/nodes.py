"""Scheduler and kubelet of the sandbox's nodes, for virt-launcher pods: place, run, give an address, let go."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clusters.sandbox.call import Call
from clusters.sandbox.cdi.objects import event, now, set_condition
from clusters.sandbox.cdi.pace import Pace
from clusters.sandbox.cdi.worker import Worker
from clusters.sandbox.deletes import DeleteOptions
from clusters.sandbox.quantity import parse

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
LAUNCHER = "virt-launcher"
UNITS = ("cpu", "memory")
PODS, NODES = "pods", "nodes"


def requested(pod: Object) -> dict[str, Decimal]:
    totals = dict.fromkeys(UNITS, Decimal(0))
    for container in pod["spec"].get("containers") or []:
        for unit in UNITS:
            totals[unit] += parse(((container.get("resources") or {}).get("requests") or {}).get(unit, "0"))
    return totals


def refusals(pod: Object, nodes: list[Object], used: dict[str, dict[str, Decimal]]) -> tuple[list[str], dict[str, int]]:
    """Names of the nodes that fit, and why the others don't, counted as the scheduler words it."""
    fitting, reasons = [], dict[str, int]()
    need = requested(pod)
    selector = pod["spec"].get("nodeSelector") or {}
    for node in nodes:
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        why = ""
        if node["spec"].get("unschedulable"):
            why = "node(s) were unschedulable"
        elif any(labels.get(key) != value for key, value in selector.items()):
            why = "node(s) didn't match Pod's node affinity/selector"
        else:
            free = {unit: parse(node["status"]["allocatable"].get(unit, "0")) - used[name][unit] for unit in UNITS}
            short = next((unit for unit in UNITS if need[unit] > free[unit]), None)
            why = f"Insufficient {short}" if short else ""
        if why:
            reasons[why] = reasons.get(why, 0) + 1
        else:
            fitting.append(name)
    return fitting, reasons


class Nodes:
    """One key per pod; sums per node are kept, not counted again for every pod."""

    def __init__(self, cluster: Cluster, pace: Pace) -> None:
        self.cluster = cluster
        self.pace = pace
        self.placed: dict[str, tuple[str, dict[str, Decimal]]] = {}
        self.used: dict[str, dict[str, Decimal]] = {}
        self.waiting: set[tuple[str, str]] = set()
        self.started: set[tuple[str, str]] = set()
        self.ending: set[str] = set()
        self.uids: dict[tuple[str, str], str] = {}
        self.addresses = itertools.count(2)
        self.worker = Worker(cluster, "nodes", self.reconcile)
        self.worker.subscribe(PODS)
        cluster.subscribe([NODES], lambda *_: self._retry())
        for pod in cluster.list(PODS):
            self._count(pod)

    def _retry(self) -> None:
        for namespace, name in tuple(self.waiting):
            self.worker.wake(namespace, name)

    def _count(self, pod: Object) -> None:
        node, key = pod["spec"].get("nodeName"), pod["metadata"]["uid"]
        ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if node and not ended and key not in self.placed:
            need = requested(pod)
            self.placed[key] = (node, need)
            sums = self.used.setdefault(node, dict.fromkeys(UNITS, Decimal(0)))
            for unit in UNITS:
                sums[unit] += need[unit]
        elif ended:
            self._release(key)

    def _release(self, key: str) -> None:
        found = self.placed.pop(key, None)
        if found is None:
            return
        node, need = found
        for unit in UNITS:
            self.used[node][unit] -= need[unit]
        self._retry()

    def reconcile(self, namespace: str, name: str) -> float | None:
        pod = self.cluster.get(PODS, namespace, name)
        if pod is None:
            self.waiting.discard((namespace, name))
            self.started.discard((namespace, name))
            self._release(self.uids.pop((namespace, name), ""))
            return None
        self.uids[namespace, name] = pod["metadata"]["uid"]
        if (pod["metadata"].get("labels") or {}).get("kubevirt.io") != LAUNCHER:
            return None
        if pod["metadata"].get("deletionTimestamp"):
            return self._terminate(pod)
        if pod["metadata"].get("ownerReferences") is None or pod["spec"].get("schedulingGates"):
            return None
        if not pod["spec"].get("nodeName"):
            return self._place(pod)
        self._count(pod)
        return self._run(pod)

    def _place(self, pod: Object) -> float | None:
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        nodes = self.cluster.list(NODES)
        for node in nodes:
            self.used.setdefault(node["metadata"]["name"], dict.fromkeys(UNITS, Decimal(0)))
        fitting, reasons = refusals(pod, nodes, self.used)
        if not fitting:
            self._unschedulable(pod, len(nodes), reasons)
            self.waiting.add(key)
            return None
        self.waiting.discard(key)
        chosen = min(fitting, key=lambda name: self.used[name]["memory"])
        pod["spec"]["nodeName"] = chosen
        stored = self.cluster.update(PODS, pod, manager="kube-scheduler")
        self._count(stored)
        stored["status"] |= {"phase": "Pending"}
        set_condition(stored["status"], "PodScheduled", "True")
        self.cluster.update(PODS, stored, manager="kube-scheduler", subresource="status")
        text = f"Successfully assigned {key[0]}/{key[1]} to {chosen}"
        event(self.cluster, pod, "Scheduled", text, component="default-scheduler")
        return None

    def _unschedulable(self, pod: Object, total: int, reasons: dict[str, int]) -> None:
        words = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items()))
        text = f"0/{total} nodes are available: {words}."
        before = [dict(item) for item in pod["status"].get("conditions", [])]
        set_condition(pod["status"], "PodScheduled", "False", "Unschedulable", text)
        if pod["status"]["conditions"] != before:
            self.cluster.update(PODS, pod, manager="kube-scheduler", subresource="status")
            event(self.cluster, pod, "FailedScheduling", text, component="default-scheduler", warning=True)

    def _run(self, pod: Object) -> float | None:
        if pod["status"].get("phase") != "Pending":
            return None
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        if key not in self.started and self.pace.start:
            self.started.add(key)
            return self.pace.start
        number = next(self.addresses)
        address = f"10.244.{(number >> 8) % 256}.{number % 256}"
        stamp = now()
        status = pod["status"] | {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": "10.10.0.10",
            "startTime": stamp,
            "containerStatuses": [_container_status(stamp)],
        }
        for kind in ("Initialized", "ContainersReady", "Ready"):
            set_condition(status, kind, "True")
        pod["status"] = status
        self.cluster.update(PODS, pod, manager="kubelet", subresource="status")
        event(self.cluster, pod, "Started", "Started container compute", component="kubelet")
        return None

    def _terminate(self, pod: Object) -> float | None:
        """The launcher ends with its guest, well inside its grace period."""
        meta = pod["metadata"]
        key = (meta["namespace"], meta["name"])
        if meta["uid"] not in self.ending and self.pace.stop:
            self.ending.add(meta["uid"])
            event(self.cluster, pod, "Killing", "Stopping container compute", component="kubelet")
            return self.pace.stop
        self.ending.discard(meta["uid"])
        call = Call(self.cluster.resource(PODS), *key, internal=True)
        self.cluster.deleter.delete(call, DeleteOptions(uid=meta["uid"], grace=0))
        return None


def _container_status(stamp: str) -> Object:
    return {
        "name": "compute",
        "image": "quay.io/kubevirt/virt-launcher:v1.9.0",
        "imageID": "",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": stamp}},
    }


def node(name: str, *, cpu: int, memory_gib: int) -> Object:
    """A node as KubeVirt's virt-handler labels it."""
    capacity = {"cpu": str(cpu), "memory": f"{memory_gib}Gi", "pods": "500", "devices.kubevirt.io/kvm": "1k"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubevirt.io/schedulable": "true",
                "topology.kubernetes.io/zone": "sandbox-a",
            },
        },
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "KubeletReady",
                    "message": "kubelet is posting ready status",
                }
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "kubeletVersion": "v1.36.2",
                "osImage": "OVIM sandbox",
                "kernelVersion": "6.12.0",
                "containerRuntimeVersion": "sandbox://1",
            },
        },
    }
