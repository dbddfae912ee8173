"""The sandbox's storage: claims of its own classes get a volume, volumes without a claim go away.

Classes of other provisioners are left alone, as a cluster without those provisioners leaves their claims pending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.claims import BIND_NOW, DEFAULT_CLASS, POPULATORS, size_of
from clusters.sandbox.cdi.objects import event
from clusters.sandbox.cdi.pace import Pace
from clusters.sandbox.cdi.worker import Worker
from clusters.sandbox.errors import ApiError

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
PROVISIONER = "disk.sandbox.ovim.io"
MANAGER = "sandbox-provisioner"
CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"


def populated_by_cdi(claim: Object) -> bool:
    reference = claim["spec"].get("dataSourceRef") or {}
    return reference.get("apiGroup") == "cdi.kubevirt.io" and reference.get("kind") in POPULATORS


class Provisioner:
    """Binds claims at once or at their first consumer, grows them when asked."""

    def __init__(self, cluster: Cluster, pace: Pace) -> None:
        self.cluster = cluster
        self.pace = pace
        self.waited: set[str] = set()
        self.worker = Worker(cluster, "provisioner", self.reconcile)
        self.worker.subscribe(CLAIMS)
        cluster.subscribe(["pods"], self._pod_changed)

    def _pod_changed(self, _resource: str, namespace: str | None, name: str) -> None:
        pod = self.cluster.get("pods", namespace, name)
        for volume in (pod or {}).get("spec", {}).get("volumes") or []:
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim:
                self.worker.wake(namespace, claim)

    def reconcile(self, namespace: str, name: str) -> float | None:
        claim = self.cluster.get(CLAIMS, namespace, name)
        if claim is None:
            return None
        if claim["metadata"].get("deletionTimestamp"):
            self._release(claim)
            return None
        if claim.get("status", {}).get("phase") == "Bound":
            self._grow(claim)
            return None
        if populated_by_cdi(claim):
            return None  # CDI hands it a filled volume
        storage = self._class_of(claim)
        if storage is None or storage.get("provisioner") != PROVISIONER:
            return None
        if storage.get("volumeBindingMode") == "WaitForFirstConsumer" and not self._consumed(claim):
            return None
        uid = claim["metadata"]["uid"]
        if self.pace.bind and uid not in self.waited:
            self.waited.add(uid)
            return self.pace.bind
        self.waited.discard(uid)
        self._bind(claim, storage)
        return None

    def _class_of(self, claim: Object) -> Object | None:
        name = claim["spec"].get("storageClassName")
        if name:
            return self.cluster.get(CLASSES, None, name)
        if name == "":
            return None
        for item in self.cluster.list(CLASSES):
            if (item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true":
                return item
        return None

    def _consumed(self, claim: Object) -> bool:
        meta = claim["metadata"]
        if BIND_NOW in (meta.get("annotations") or {}):
            return True
        return "volume.kubernetes.io/selected-node" in (meta.get("annotations") or {})

    def _bind(self, claim: Object, storage: Object) -> None:
        meta, spec = claim["metadata"], claim["spec"]
        volume_name = f"pvc-{meta['uid']}"
        capacity = {"storage": (spec["resources"].get("requests") or {}).get("storage", "1Gi")}
        if self.cluster.get(VOLUMES, None, volume_name) is None:
            self.cluster.create(VOLUMES, self._volume(volume_name, claim, storage, capacity), manager=MANAGER)
        claim["spec"]["volumeName"] = volume_name
        claim["spec"].setdefault("storageClassName", storage["metadata"]["name"])
        annotations = claim["metadata"].setdefault("annotations", {})
        annotations |= {
            "pv.kubernetes.io/bind-completed": "yes",
            "pv.kubernetes.io/bound-by-controller": "yes",
            "volume.kubernetes.io/storage-provisioner": PROVISIONER,
        }
        stored = self.cluster.update(CLAIMS, claim, manager="kube-controller-manager")
        stored["status"] = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity}
        self.cluster.update(CLAIMS, stored, manager="kube-controller-manager", subresource="status")
        text = f"Successfully provisioned volume {volume_name}"
        event(self.cluster, claim, "ProvisioningSucceeded", text, component=PROVISIONER)

    def _volume(self, name: str, claim: Object, storage: Object, capacity: Object) -> Object:
        meta, spec = claim["metadata"], claim["spec"]
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
            "spec": {
                "accessModes": spec["accessModes"],
                "capacity": capacity,
                "volumeMode": spec.get("volumeMode", "Filesystem"),
                "storageClassName": storage["metadata"]["name"],
                "persistentVolumeReclaimPolicy": storage.get("reclaimPolicy", "Delete"),
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": meta["namespace"],
                    "name": meta["name"],
                    "uid": meta["uid"],
                },
                "csi": {"driver": PROVISIONER, "volumeHandle": name},
            },
        }

    def _grow(self, claim: Object) -> None:
        """An edited request becomes capacity at once; shrinking is refused by validation before it gets here."""
        wanted = (claim["spec"]["resources"].get("requests") or {}).get("storage")
        have = (claim["status"].get("capacity") or {}).get("storage")
        if not wanted or wanted == have:
            return
        asked = size_of({"spec": claim["spec"], "status": {}})
        if asked > size_of(claim):
            claim["status"]["capacity"] = {"storage": wanted}
            self.cluster.update(CLAIMS, claim, manager="csi-resizer", subresource="status")

    def _release(self, claim: Object) -> None:
        """Takes the volume away with a claim that no pod uses; the cluster's own controller lets the claim go."""
        name = claim["spec"].get("volumeName")
        volume = self.cluster.get(VOLUMES, None, name) if name else None
        if volume is None or volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
            return
        if (volume["spec"].get("claimRef") or {}).get("uid") != claim["metadata"]["uid"]:
            return  # handed over to another claim
        try:
            self.cluster.delete(VOLUMES, None, name or "")
        except ApiError:
            return
