"""DataSources: whether what they point at can be cloned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.conditions import put
from clusters.sandbox.cdi.storage import CLAIMS
from clusters.sandbox.cdi.worker import Worker

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
SOURCES, VOLUMES = "datasources.cdi.kubevirt.io", "datavolumes.cdi.kubevirt.io"
SNAPSHOTS = "volumesnapshots.snapshot.storage.k8s.io"
READY_TEXT = "DataSource is ready to be consumed"


class DataSources:
    """Reconciles DataSources; one that points at another follows it once."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.pointed: dict[tuple[str, str], set[tuple[str, str]]] = {}  # by (namespace, name) of what they point at
        self.worker = Worker(cluster, "datasources", self.reconcile)
        self.worker.subscribe(SOURCES)
        cluster.subscribe([CLAIMS, VOLUMES, SNAPSHOTS, SOURCES], self._target_changed)

    def _target_changed(self, _resource: str, namespace: str | None, name: str) -> None:
        for key in tuple(self.pointed.get((namespace or "", name), ())):
            self.worker.wake(*key)

    def reconcile(self, namespace: str, name: str) -> float | None:
        found = self.cluster.get(SOURCES, namespace, name)
        if found is None:
            return None
        source = found["spec"].get("source") or {}
        status = self._linked(found, source["dataSource"]) if "dataSource" in source else self._direct(found, source)
        if status != found.get("status"):
            found["status"] = status
            self.cluster.update(SOURCES, found, manager="cdi-deployment")
        return None

    def _status(self, found: Object, source: Object, value: str, reason: str, message: str) -> Object:
        before = found.get("status") or {}
        after: Object = {"conditions": [dict(item) for item in before.get("conditions") or []], "source": source}
        put(after, "Ready", value, reason, message)
        return after

    def _watch(self, found: Object, target: Object) -> None:
        meta = found["metadata"]
        place = (str(target.get("namespace") or meta["namespace"]), str(target.get("name")))
        self.pointed.setdefault(place, set()).add((meta["namespace"], meta["name"]))

    def _linked(self, found: Object, link: Object) -> Object:
        meta = found["metadata"]
        self._watch(found, link)
        if link.get("namespace") != meta["namespace"]:
            text = "DataSource cannot reference a DataSource in another namespace"
            return self._status(found, {}, "False", "CrossNamespaceReference", text)
        if link.get("name") == meta["name"]:
            return self._status(found, {}, "False", "SelfReference", "DataSource cannot self-reference")
        other = self.cluster.get(SOURCES, link["namespace"], link["name"])
        if other is None:
            return self._status(found, {}, "False", "NotFound", "DataSource not found")
        if "dataSource" in (other["spec"].get("source") or {}):
            text = "DataSource reference chain exceeds maximum depth of 1"
            return self._status(found, {}, "False", "MaxReferenceDepthReached", text)
        return self._direct(found, other["spec"].get("source") or {})

    def _direct(self, found: Object, source: Object) -> Object:
        if "pvc" in source:
            return self._claim(found, source)
        if "snapshot" in source:
            target = source["snapshot"]
            self._watch(found, target)
            snapshot = self.cluster.get(SNAPSHOTS, target.get("namespace"), str(target.get("name")))
            if snapshot is None:
                return self._status(found, source, "False", "NotFound", "Snapshot not found")
            if (snapshot.get("status") or {}).get("readyToUse"):
                return self._status(found, source, "True", "Ready", READY_TEXT)
            return self._status(found, source, "False", "SnapshotNotReady", "Snapshot phase is not ready")
        return self._status(found, source, "False", "NoSource", "No source PVC set")

    def _claim(self, found: Object, source: Object) -> Object:
        target = source["pvc"]
        self._watch(found, target)
        place = (target.get("namespace") or found["metadata"]["namespace"], str(target.get("name")))
        if self.cluster.get(CLAIMS, *place) is None:
            return self._status(found, source, "False", "NotFound", "PVC not found")
        filler = self.cluster.get(VOLUMES, *place)
        phase = (filler or {}).get("status", {}).get("phase", "")
        if filler is not None and phase != "Succeeded":
            return self._status(found, source, "False", phase or "Pending", f"Import DataVolume phase {phase}")
        return self._status(found, source, "True", "Ready", READY_TEXT)
