"""What stands beside a claim while it is filled: the prime claim, scratch space, the worker pod.

CDI fills a claim of its own (`prime-…`) and hands its volume over to the claim that was asked for, which stays Pending
until then. Formats that must be unpacked go through a scratch claim of the same size. All of it counts in quotas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clusters.sandbox.call import Call
from clusters.sandbox.cdi.objects import event, now, owner_reference, set_condition
from clusters.sandbox.cdi.storage import CLAIMS, VOLUMES
from clusters.sandbox.deletes import DeleteOptions
from clusters.sandbox.errors import ApiError

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
MANAGER = "virt-cdi-controller"
IMPORTER = "quay.io/kubevirt/cdi-importer:v1.66.0"
RESOURCES = {"requests": {"cpu": "100m", "memory": "60M"}, "limits": {"cpu": "750m", "memory": "600M"}}
ROLES = {
    "import": ("importer", "importer"),
    "clone": ("cdi-clone", "cdi-cloner"),
    "upload": ("cdi-upload", "cdi-upload"),
}
COMPONENT = "import-populator"
SCRATCH = "-scratch"


ASK_THE_ADMIN = "For more information, request access to cdi-deploy logs from your sysadmin"


@dataclass(frozen=True)
class Blocked:
    """Why the transfer can't begin; an empty message is plain waiting."""

    reason: str = ""
    message: str = ""
    worker: bool = False  # the pod was refused, not a claim


def prime_name(pvc: Object) -> str:
    return f"prime-{pvc['metadata']['uid']}"


class Staging:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def prepare(self, volume: Object, pvc: Object, role: str, *, scratch: bool) -> Blocked | None:
        """Makes what is missing; None once the transfer may begin."""
        prime = self._claim(volume, pvc, prime_name(pvc))
        if isinstance(prime, Blocked):
            return prime
        pod = self._pod(pvc, prime, role, scratch=scratch)
        if isinstance(pod, Blocked):
            return pod
        if scratch:
            space = self._claim(volume, pvc, f"{prime_name(pvc)}{SCRATCH}", owner=pod)
            if isinstance(space, Blocked):
                return space
            if space.get("status", {}).get("phase") != "Bound":
                return Blocked()
        return Blocked() if prime.get("status", {}).get("phase") != "Bound" else None

    def pod_name(self, pvc: Object, role: str) -> str:
        return f"{ROLES[role][0]}-{prime_name(pvc)}"[:253]

    def _claim(self, volume: Object, pvc: Object, name: str, owner: Object | None = None) -> Object | Blocked:
        namespace = pvc["metadata"]["namespace"]
        found = self.cluster.get(CLAIMS, namespace, name)
        if found is not None:
            return found
        spec = {
            key: value for key, value in pvc["spec"].items() if key not in ("dataSource", "dataSourceRef", "volumeName")
        }
        annotations = {"cdi.kubevirt.io/storage.bind.immediate.requested": ""}
        node = (pvc["metadata"].get("annotations") or {}).get("volume.kubernetes.io/selected-node")
        if node:
            annotations["volume.kubernetes.io/selected-node"] = node
        body = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"app": "containerized-data-importer"},
                "annotations": annotations,
                "ownerReferences": [owner_reference(owner or pvc)],
            },
            "spec": spec,
        }
        try:
            made = self.cluster.create(CLAIMS, body, manager=MANAGER)
        except ApiError as error:
            text = str(error)
            event(self.cluster, pvc, "ErrCreatingPVCPrime", text, component=COMPONENT, warning=True)
            return Blocked("ErrCreatingPVCPrime", text)
        if owner is None:
            text = "PVC Prime created successfully"
            event(self.cluster, pvc, "CreatedPVCPrimeSuccessfully", text, component=COMPONENT)
        return made

    def _pod(self, pvc: Object, prime: Object, role: str, *, scratch: bool) -> Object | Blocked:
        namespace, name = pvc["metadata"]["namespace"], self.pod_name(pvc, role)
        found = self.cluster.get("pods", namespace, name)
        if found is not None:
            return found
        label = ROLES[role][1]
        volumes = [{"name": "cdi-data-vol", "persistentVolumeClaim": {"claimName": prime["metadata"]["name"]}}]
        if scratch:
            place = {"claimName": f"{prime['metadata']['name']}{SCRATCH}"}
            volumes.append({"name": "cdi-scratch-vol", "persistentVolumeClaim": place})
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"app": "containerized-data-importer", "cdi.kubevirt.io": label},
                "ownerReferences": [owner_reference(prime)],
            },
            "spec": {
                "restartPolicy": "OnFailure",
                "containers": [{"name": label, "image": IMPORTER, "resources": RESOURCES}],
                "volumes": volumes,
            },
        }
        try:
            made = self.cluster.create("pods", body, manager=MANAGER)
        except ApiError as error:
            reason = "ErrExceededQuota" if "exceeded quota:" in str(error) else "ErrStartingPod"
            text = f"Error starting pod '{name}': {ASK_THE_ADMIN}"
            event(self.cluster, pvc, reason, text, component=COMPONENT, warning=True)
            return Blocked(reason, text, worker=True)
        made["status"] = made.get("status", {}) | {"phase": "Running", "startTime": now()}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready"):
            set_condition(made["status"], kind, "True")
        return self.cluster.update("pods", made, manager="kubelet", subresource="status")

    def hand_over(self, pvc: Object, role: str) -> Object:
        """The prime claim's volume becomes the target's; everything else goes. Answers the bound target."""
        namespace = pvc["metadata"]["namespace"]
        prime = self.cluster.get(CLAIMS, namespace, prime_name(pvc))
        if prime is not None and pvc.get("status", {}).get("phase") != "Bound":
            pvc = self._rebind(pvc, prime)
        self.clear(pvc, role)
        return pvc

    def _rebind(self, pvc: Object, prime: Object) -> Object:
        name = prime["spec"]["volumeName"]
        persistent = self.cluster.get(VOLUMES, None, name)
        if persistent is None:
            return pvc
        meta = pvc["metadata"]
        persistent["spec"]["claimRef"] |= {"name": meta["name"], "uid": meta["uid"]}
        self.cluster.update(VOLUMES, persistent, manager=MANAGER)
        pvc["spec"]["volumeName"] = name
        annotations = meta.setdefault("annotations", {})
        annotations |= {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
        stored = self.cluster.update(CLAIMS, pvc, manager="kube-controller-manager")
        stored["status"] = prime["status"]
        return self.cluster.update(CLAIMS, stored, manager="kube-controller-manager", subresource="status")

    def end_workers(self, prime: Object) -> None:
        """A prime claim that is to go: what mounts it ends first."""
        namespace = prime["metadata"]["namespace"]
        for prefix, _ in ROLES.values():
            self._delete("pods", namespace, f"{prefix}-{prime['metadata']['name']}"[:253])

    def clear(self, pvc: Object, role: str) -> None:
        namespace = pvc["metadata"]["namespace"]
        names = (
            ("pods", self.pod_name(pvc, role)),
            (CLAIMS, f"{prime_name(pvc)}{SCRATCH}"),
            (CLAIMS, prime_name(pvc)),
        )
        for resource, name in names:
            self._delete(resource, namespace, name)

    def _delete(self, resource: str, namespace: str, name: str) -> None:
        if self.cluster.get(resource, namespace, name) is None:
            return
        call = Call(self.cluster.resource(resource), namespace, name, internal=True)
        try:
            self.cluster.deleter.delete(call, DeleteOptions(grace=0))
        except ApiError as error:
            if error.code != 404:
                raise
