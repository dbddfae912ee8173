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
from clusters.sandbox.kubevirt.guests import Guests
from clusters.sandbox.kubevirt.images import Images
from clusters.sandbox.kubevirt.node_loss import NodeLoss
from clusters.sandbox.kubevirt.scheduling import UNITS, refusals, requested

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
LAUNCHER = "virt-launcher"
PODS, NODES, CLAIMS = "pods", "nodes", "persistentvolumeclaims"


class Nodes:
    """One key per pod; sums per node are kept, not counted again for every pod."""

    def __init__(self, cluster: Cluster, pace: Pace, guests: Guests) -> None:
        self.cluster = cluster
        self.pace = pace
        self.placed: dict[str, tuple[str, dict[str, Decimal]]] = {}
        self.used: dict[str, dict[str, Decimal]] = {}
        self.guests = guests
        self.images = Images(cluster)
        self.pulls: dict[str, int] = {}  # failed pulls by the pod's uid
        self.waiting: set[tuple[str, str]] = set()
        self.started: set[tuple[str, str]] = set()
        self.ending: set[str] = set()
        self.uids: dict[tuple[str, str], str] = {}
        self.addresses = itertools.count(2)
        self.worker = Worker(cluster, "nodes", self.reconcile)
        self.worker.subscribe(PODS)
        cluster.subscribe([NODES, CLAIMS], lambda *_: self._retry())
        self.loss = NodeLoss(cluster, pace, guests, self.worker.wake)
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
        if self.guests.silent(pod):
            return None  # nobody there to do anything
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
        refused = self._claims_refuse(pod)
        if refused or not fitting:
            words = refused or ", ".join(f"{count} {why}" for why, count in sorted(reasons.items()))
            self._unschedulable(pod, f"0/{len(nodes)} nodes are available: {words}.")
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

    def _claims_refuse(self, pod: Object) -> str:
        """A claim that is gone or going keeps a pod off every node; empty: none does."""
        for volume in pod["spec"].get("volumes") or []:
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if not name:
                continue
            claim = self.cluster.get(CLAIMS, pod["metadata"]["namespace"], name)
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found'
            if claim["metadata"].get("deletionTimestamp"):
                return f'persistentvolumeclaim "{name}" is being deleted'
        return ""

    def _unschedulable(self, pod: Object, text: str) -> None:
        before = [dict(item) for item in pod["status"].get("conditions", [])]
        set_condition(pod["status"], "PodScheduled", "False", "Unschedulable", text)
        if pod["status"]["conditions"] != before:
            self.cluster.update(PODS, pod, manager="kube-scheduler", subresource="status")
            event(self.cluster, pod, "FailedScheduling", text, component="default-scheduler", warning=True)

    def _run(self, pod: Object) -> float | None:
        if pod["status"].get("phase") != "Pending":
            return None
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        problem = self.images.problem(pod)
        if problem is not None:
            return self._pull_failed(pod, *problem)
        self.pulls.pop(pod["metadata"]["uid"], None)
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
            "hostIP": host_address(pod["spec"]["nodeName"]),
            "hostIPs": [{"ip": host_address(pod["spec"]["nodeName"])}],
            "startTime": stamp,
            **container_statuses(pod, stamp),
        }
        for kind in ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"):
            set_condition(status, kind, "True")
        pod["status"] = status
        self.cluster.update(PODS, pod, manager="kubelet", subresource="status")
        image = pod["spec"]["containers"][0]["image"]
        present = f'Container image "{image}" already present on machine'
        for reason, text in (
            ("Pulled", present),
            ("Created", "Created container: compute"),
            ("Started", "Started container compute"),
        ):
            event(self.cluster, pod, reason, text, component="kubelet")
        return None

    def _pull_failed(self, pod: Object, image: str, why: str) -> float | None:
        """ErrImagePull, then ImagePullBackOff; tried again until the image is there."""
        tries = self.pulls[pod["metadata"]["uid"]] = self.pulls.get(pod["metadata"]["uid"], 0) + 1
        error = f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": {why}'
        failed = tries == 1
        reason = "ErrImagePull" if failed else "ImagePullBackOff"
        message = error if failed else f'Back-off pulling image "{image}": ErrImagePull: {error}'
        status = pod["status"] | {"phase": "Pending", **container_statuses(pod, "", waiting=(image, reason, message))}
        for kind in ("Initialized", "ContainersReady", "Ready"):
            set_condition(status, kind, "False", "ContainersNotReady", "containers with unready status: [compute]")
        if status != pod["status"] or tries <= 2:
            pod["status"] = status
            self.cluster.update(PODS, pod, manager="kubelet", subresource="status")
        if failed:
            event(self.cluster, pod, "Pulling", f'Pulling image "{image}"', component="kubelet")
            text = f'Failed to pull image "{image}": {error}'
            event(self.cluster, pod, "Failed", text, component="kubelet", warning=True)
            event(self.cluster, pod, "Failed", "Error: ErrImagePull", component="kubelet", warning=True)
        elif tries == 2:
            text = f'Back-off pulling image "{image}"'
            event(self.cluster, pod, "BackOff", text, component="kubelet")
            event(self.cluster, pod, "Failed", "Error: ImagePullBackOff", component="kubelet", warning=True)
        return self.pace.pull or 0.1

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


def host_address(node_name: str) -> str:
    """The node's own address, by the number at the end of its name."""
    digits = "".join(char for char in node_name if char.isdigit()) or "0"
    return f"10.10.0.{10 + int(digits) % 200}"


def container_statuses(pod: Object, stamp: str, *, waiting: tuple[str, str, str] | None = None) -> Object:
    """Statuses of all containers: running, or waiting for the image (image, reason, message) that one of them needs."""
    volumes = [(volume.get("image") or {}).get("reference") for volume in pod["spec"].get("volumes") or []]
    found: Object = {}
    for key, status_key in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        entries = []
        for container in pod["spec"].get(key) or []:
            state: Object = {"running": {"startedAt": stamp}}
            if waiting is not None:
                image, reason, message = waiting
                concerned = container["image"] == image or (image in volumes and container["name"] == "compute")
                state = {"waiting": {"reason": "PodInitializing"}}
                if concerned:
                    state = {"waiting": {"reason": reason, "message": message}}
            up = waiting is None
            entries.append(
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": container["image"] if up else "",
                    "ready": up,
                    "started": up,
                    "restartCount": 0,
                    "state": state,
                }
            )
        if entries:
            found[status_key] = entries
    return found


def node(name: str, *, cpu: int, memory_gib: int) -> Object:
    """A node as KubeVirt's virt-handler labels it."""
    capacity = {"cpu": str(cpu), "memory": f"{memory_gib}Gi", "pods": "500", "ephemeral-storage": "1Ti"}
    capacity |= {f"devices.kubevirt.io/{device}": "1k" for device in ("kvm", "tun", "vhost-net")}
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
            "addresses": [
                {"type": "InternalIP", "address": host_address(name)},
                {"type": "Hostname", "address": name},
            ],
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
