"""The DataVolume controller: claim, transfer, status. One key at a time, everything read again on every run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi import conditions
from clusters.sandbox.cdi.claims import (
    BIND_NOW,
    IMPORTS,
    SELECTED_NODE,
    claim,
    size_of,
    source_of,
    storage_class,
)
from clusters.sandbox.cdi.clones import Clones
from clusters.sandbox.cdi.download import Failure
from clusters.sandbox.cdi.objects import condition, event, owned_by
from clusters.sandbox.cdi.pace import Pace
from clusters.sandbox.cdi.sources import FETCHED, download
from clusters.sandbox.cdi.staging import SCRATCH, Blocked, Staging, prime_name
from clusters.sandbox.cdi.storage import CLAIMS, CLASSES
from clusters.sandbox.cdi.transfers import LONGEST_WAIT, Threads, Transfer
from clusters.sandbox.cdi.worker import Worker
from clusters.sandbox.errors import ApiError

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
VOLUMES = "datavolumes.cdi.kubevirt.io"
MANAGER = "virt-cdi-controller"
COMPONENT = "datavolume-import-controller"
PREPOPULATED = "cdi.kubevirt.io/storage.prePopulated"
POD_PHASE = "cdi.kubevirt.io/storage.pod.phase"
PACKED = (".gz", ".xz", ".zst")
PHASES = {
    "import": ("ImportScheduled", "ImportInProgress"),
    "clone": ("CloneScheduled", "CloneInProgress"),
    "upload": ("UploadScheduled", "UploadReady"),
}


def role_of(kind: str) -> str:
    if kind == "upload":
        return kind
    return "import" if kind in IMPORTS else "clone"


def needs_scratch(kind: str, source: Object) -> bool:
    """Whether the data passes through scratch space: packed formats, and sources that can't be read at random."""
    packed = str(source.get("url", "")).partition("?")[0].endswith(PACKED)
    return kind in ("registry", "s3", "upload") or (kind == "http" and packed)


class DataVolumes:
    """Reconciles DataVolumes."""

    def __init__(self, cluster: Cluster, pace: Pace) -> None:
        self.cluster = cluster
        self.pace = pace
        self.transfers: dict[str, Transfer] = {}
        self.stalled: set[tuple[str, str]] = set()
        self.staging = Staging(cluster)
        self.threads = Threads(cluster)
        self.clones = Clones(cluster)
        self.worker = Worker(cluster, "datavolumes", self.reconcile)
        self.worker.subscribe(VOLUMES)
        self.worker.subscribe(CLAIMS)  # a volume and its claim share their name
        cluster.subscribe([CLAIMS], self._helper_changed)
        cluster.subscribe(["resourcequotas"], self._quota_changed)
        cluster.register_control("import", self.order)
        self.refused: dict[str, set[str]] = {}

    def order(self, order: Object) -> Object:
        """Stalls a transfer where it is, or lets it go on."""
        key, action = (str(order.get("namespace", "")), str(order.get("name", ""))), order.get("action")
        if action not in ("stall", "release") or not all(key):
            raise ValueError("an import order names an action, stall or release, a namespace and a name")
        if action == "stall":
            self.stalled.add(key)
        else:
            self.stalled.discard(key)
        self.worker.wake(*key)
        return {"stalled": sorted("/".join(item) for item in self.stalled)}

    def _helper_changed(self, _resource: str, namespace: str | None, name: str) -> None:
        """A prime or scratch claim got bound: its target's volume goes on."""
        helper = self.cluster.get(CLAIMS, namespace, name) if name.startswith("prime-") else None
        if helper is not None and helper["metadata"].get("deletionTimestamp"):
            self.staging.end_workers(helper)
        if name.endswith(SCRATCH):  # its owner is the pod; whose volume it serves, the prime claim knows
            helper = self.cluster.get(CLAIMS, namespace, name.removesuffix(SCRATCH))
        for reference in (helper or {}).get("metadata", {}).get("ownerReferences") or []:
            if reference["kind"] == "PersistentVolumeClaim":
                self.worker.wake(namespace, reference["name"])

    def _quota_changed(self, _resource: str, namespace: str | None, _name: str) -> None:
        for name in tuple(self.refused.get(namespace or "", ())):
            self.worker.wake(namespace, name)

    def reconcile(self, namespace: str, name: str) -> float | None:
        volume = self.cluster.get(VOLUMES, namespace, name)
        if volume is None or volume["metadata"].get("deletionTimestamp"):
            self._forget(volume, namespace, name)
            return None
        if volume.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return None
        pvc = self.cluster.get(CLAIMS, namespace, name)
        if pvc is None:
            return self._create_claim(volume)
        if not owned_by(pvc, volume):
            return self._foreign_claim(volume, pvc)
        return self._transfer(volume, pvc)

    def _forget(self, volume: Object | None, namespace: str, name: str) -> None:
        self.refused.get(namespace, set()).discard(name)
        transfer = self.transfers.pop(volume["metadata"]["uid"], None) if volume else None
        if transfer is not None and transfer.download is not None:
            transfer.download.cancelled = True

    # the claim

    def _create_claim(self, volume: Object) -> float | None:
        meta = volume["metadata"]
        problem = self.clones.problem(volume)
        if problem is not None:
            return self._blocked(volume, problem, again=1.0)
        class_name = storage_class(volume, self.cluster.list(CLASSES))
        profile = self.cluster.get("storageprofiles.cdi.kubevirt.io", None, class_name) if class_name else None
        try:
            body = claim(volume, class_name, profile, self.clones.size(volume))
            self.cluster.create(CLAIMS, body, manager=MANAGER)
        except ApiError as error:
            message = str(error)
            self.refused.setdefault(meta["namespace"], set()).add(meta["name"])
            reason = conditions.QUOTA if "exceeded quota:" in message else "ErrClaimNotValid"
            return self._blocked(volume, Blocked(reason, message), again=self.pace.retry_quota)
        self.refused.get(meta["namespace"], set()).discard(meta["name"])
        event(self.cluster, volume, "Pending", f"PVC {meta['name']} Pending", component=COMPONENT)
        return 0.0

    def _blocked(self, volume: Object, problem: Blocked, *, again: float) -> float | None:
        """Told once as an event, and kept as a condition until it is over."""
        if problem.message != _condition_message(volume):
            event(self.cluster, volume, problem.reason, problem.message, component=COMPONENT, warning=True)
        return self._write(volume, lambda status: conditions.refused(status, problem.message, problem.reason), again)

    def _foreign_claim(self, volume: Object, pvc: Object) -> float | None:
        """A claim of that name is somebody else's: adopted only when it says it is populated for this volume."""
        meta = volume["metadata"]
        if (meta.get("annotations") or {}).get(PREPOPULATED) == meta["name"]:
            return self._write(volume, lambda status: conditions.succeeded(status, "Import"), None)
        text = f'Resource "{pvc["metadata"]["name"]}" already exists and is not managed by DataVolume'
        return self._blocked(volume, Blocked("ErrResourceExists", text), again=5.0)

    # the transfer

    def _transfer(self, volume: Object, pvc: Object) -> float | None:
        kind, source = source_of(volume, self.cluster.get)
        uid, role = volume["metadata"]["uid"], role_of(kind)
        if not kind:
            return self._external(volume, pvc)
        during = PHASES[role][1]
        transfer = self.transfers.get(uid)
        if transfer is None:
            return self._prepare(volume, pvc, kind, source)
        if transfer.failure is not None:
            return self._after_failure(volume, pvc, transfer, during)
        clock = time.monotonic()
        key = (volume["metadata"]["namespace"], volume["metadata"]["name"])
        transfer.held = None if key not in self.stalled else transfer.held or min(transfer.share(3.0), 0.42)
        if not transfer.done or clock - transfer.began < self.pace.import_at_least or key in self.stalled:
            if clock < transfer.next_report:
                return transfer.next_report - clock
            transfer.next_report = clock + self.pace.import_tick
            share = None if role == "upload" else transfer.share(self.pace.import_at_least)
            idle = role == "upload" and transfer.download is None
            again = None if idle else self.pace.import_tick
            return self._write(volume, lambda status: self._moving(status, pvc, during, share), again)
        if role == "clone" and not transfer.expanded and self.clones.grows(volume, pvc):
            transfer.expanded = True
            text = f"Expanding PersistentVolumeClaim for DataVolume {key[0]}/{key[1]}"
            event(self.cluster, volume, "ExpansionInProgress", text, component=COMPONENT)
            return self._write(
                volume, lambda status: self._moving(status, pvc, "ExpansionInProgress", 1.0), self.pace.import_tick
            )
        self.transfers.pop(uid, None)
        return self._finish(volume, pvc, role)

    def _external(self, volume: Object, pvc: Object) -> float | None:
        """A claim with a data source of its own is filled by somebody else; all there is to do is to look on."""
        if pvc.get("status", {}).get("phase") != "Bound":
            return self._write(volume, lambda status: self._waiting(status, pvc, "Pending"), None)

        def change(status: Object) -> None:
            status["claimName"] = pvc["metadata"]["name"]
            conditions.bound(status, pvc)
            conditions.succeeded(status, "Population")

        return self._write(volume, change, None)

    def _prepare(self, volume: Object, pvc: Object, kind: str, source: Object) -> float | None:
        """Everything a transfer needs, then its start."""
        role = role_of(kind)
        before = PHASES[role][0]
        if self._waits_for_consumer(pvc):
            return self._write(volume, lambda status: self._waiting(status, pvc, "PendingPopulation"), None)
        if role == "clone" and not self.clones.ready(kind, source):
            return self._write(volume, lambda status: self._waiting(status, pvc, before), 0.5)
        blocked = self.staging.prepare(volume, pvc, role, scratch=needs_scratch(kind, source))
        if blocked is not None and blocked.message:
            self.refused.setdefault(volume["metadata"]["namespace"], set()).add(volume["metadata"]["name"])
            return self._held(volume, pvc, before, blocked)
        if blocked is not None:
            return self._write(volume, lambda status: self._waiting(status, pvc, before), None)
        self._begin(volume, pvc, kind, source)
        return self._write(volume, lambda status: self._waiting(status, pvc, before), self.pace.import_tick)

    def _held(self, volume: Object, pvc: Object, phase: str, blocked: Blocked) -> float | None:
        """A refused pod is told by the volume; a refused prime claim only by an event of the claim it is for."""

        def change(status: Object) -> None:
            self._waiting(status, pvc, phase)
            if blocked.worker:
                conditions.held(status, pvc, prime_name(pvc), phase, blocked.message)
            else:
                status["phase"] = "Pending"

        return self._write(volume, change, self.pace.retry_quota)

    def _waits_for_consumer(self, pvc: Object) -> bool:
        storage = self.cluster.get(CLASSES, None, pvc["spec"].get("storageClassName") or "-") or {}
        annotations = pvc["metadata"].get("annotations") or {}
        lazy = storage.get("volumeBindingMode") == "WaitForFirstConsumer"
        return lazy and BIND_NOW not in annotations and SELECTED_NODE not in annotations

    def _begin(self, volume: Object, pvc: Object, kind: str, source: Object, *, tries: int = 0) -> None:
        meta = volume["metadata"]
        transfer = self.transfers[meta["uid"]] = Transfer(tries=tries)
        word = role_of(kind).capitalize()
        text = f"{word} into {pvc['metadata']['name']} scheduled"
        event(self.cluster, volume, f"{word}Scheduled", text, component=COMPONENT)
        if kind in FETCHED:
            try:
                transfer.download = download(kind, source, meta["namespace"], size_of(pvc), self.cluster.get)
            except Failure as failure:
                transfer.failure = failure
                return
            self.run(volume, transfer)
        elif kind in ("gcs", "imageio", "vddk"):
            transfer.failure = Failure(f"Unable to connect to {kind} data source: not reachable from this cluster")
        elif kind != "upload":
            transfer.done = True  # blank disks and clones only take their time

    def run(self, volume: Object, transfer: Transfer) -> None:
        """Sets the transfer's download going; the volume is looked at again when it is over."""
        meta = volume["metadata"]
        self.threads.run(transfer, lambda: self.worker.wake(meta["namespace"], meta["name"]))

    def _after_failure(self, volume: Object, pvc: Object, transfer: Transfer, during: str) -> float | None:
        failure = transfer.failure or Failure("unknown")
        if failure.fatal:
            self.transfers.pop(volume["metadata"]["uid"], None)
            event(self.cluster, volume, "ImportFailed", failure.message, component=COMPONENT, warning=True)
            return self._write(volume, lambda status: conditions.failed(status, "Failed", failure.message), None)
        if not transfer.retry_at:
            transfer.retry_at = time.monotonic() + self.pace.retry_import * min(2**transfer.tries, LONGEST_WAIT)
            transfer.tries += 1
            event(self.cluster, volume, "Error", failure.message, component=COMPONENT, warning=True)

            def change(status: Object) -> None:
                status["claimName"] = pvc["metadata"]["name"]
                conditions.bound(status, pvc)
                conditions.failed(status, during, failure.message)

            return self._write(volume, change, transfer.retry_at - time.monotonic())
        left = transfer.retry_at - time.monotonic()
        if left > 0:
            return left
        kind, source = source_of(volume, self.cluster.get)
        self._begin(volume, pvc, kind, source, tries=transfer.tries)
        return self.pace.import_tick

    def _finish(self, volume: Object, pvc: Object, role: str) -> float | None:
        word = role.capitalize()
        pvc["metadata"].setdefault("annotations", {})[POD_PHASE] = "Succeeded"
        filled = self.cluster.update(CLAIMS, pvc, manager=MANAGER)
        bound = self.staging.hand_over(filled, role)

        def change(status: Object) -> None:
            status["claimName"] = pvc["metadata"]["name"]
            conditions.bound(status, bound)
            conditions.succeeded(status, word)

        past = {"import": "imported", "clone": "cloned", "upload": "uploaded"}[role]
        text = f"Successfully {past} into PVC {pvc['metadata']['name']}"
        event(self.cluster, volume, f"{word}Succeeded", text, component=COMPONENT)
        return self._write(volume, change, None)

    def _waiting(self, status: Object, pvc: Object, phase: str) -> None:
        status["claimName"] = pvc["metadata"]["name"]
        conditions.bound(status, pvc)
        conditions.scheduled(status, phase)

    def _moving(self, status: Object, pvc: Object, phase: str, share: float | None) -> None:
        status["claimName"] = pvc["metadata"]["name"]
        conditions.bound(status, pvc)
        conditions.running(status, phase, share)

    def _write(self, volume: Object, change: Any, again: float | None) -> float | None:
        """Writes the status when it differs; the result is when to look again."""
        before = volume.get("status", {})
        after = _copy(before)
        change(after)
        if after != before:
            volume["status"] = after
            self.cluster.update(VOLUMES, volume, manager=MANAGER, subresource="status")
        return again


def _copy(status: Object) -> Object:
    return {**status, "conditions": [dict(item) for item in status.get("conditions", [])]}


def _condition_message(volume: Object) -> str:
    return str(condition(volume, "Bound").get("message", ""))
