"""The DataVolume controller: claim, transfer, status. One key at a time, everything read again on every run."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi import conditions
from clusters.sandbox.cdi.claims import IMPORTS, claim, size_of, source_of, storage_class
from clusters.sandbox.cdi.download import Download, Failure
from clusters.sandbox.cdi.objects import condition, event, owned_by
from clusters.sandbox.cdi.pace import Pace
from clusters.sandbox.cdi.storage import CLAIMS, CLASSES
from clusters.sandbox.cdi.worker import Worker
from clusters.sandbox.errors import ApiError

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
VOLUMES = "datavolumes.cdi.kubevirt.io"
MANAGER = "virt-cdi-controller"
COMPONENT = "datavolume-import-controller"
PREPOPULATED = "cdi.kubevirt.io/storage.prePopulated"
NEXT_PHASE = {"import": ("ImportScheduled", "ImportInProgress"), "clone": ("CloneScheduled", "CloneInProgress")}


@dataclass
class Transfer:
    """One running import or clone, by the volume's uid; lost on restart, and then begun again."""

    began: float
    download: Download | None = None
    done: bool = False
    failure: Failure | None = None
    retry_at: float = 0.0
    tries: int = 0
    next_report: float = 0.0  # progress is written at most once a tick, however often the key is woken


class DataVolumes:
    """Reconciles DataVolumes."""

    def __init__(self, cluster: Cluster, pace: Pace) -> None:
        self.cluster = cluster
        self.pace = pace
        self.transfers: dict[str, Transfer] = {}
        self.worker = Worker(cluster, "datavolumes", self.reconcile)
        self.worker.subscribe(VOLUMES)
        self.worker.subscribe(CLAIMS)  # a volume and its claim share their name
        cluster.subscribe(["resourcequotas"], self._quota_changed)
        self.refused: dict[str, set[str]] = {}

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
        kind, source = source_of(volume, self.cluster.get)
        if not kind and volume["spec"].get("sourceRef"):
            return self._write(
                volume, lambda status: conditions.bound(status, None, message="DataSource not found"), 1.0
            )
        origin = self.cluster.get(CLAIMS, source["namespace"], source["name"]) if kind == "pvc" else None
        if kind == "pvc" and origin is None:
            text = f"Source pvc {source['namespace']}/{source['name']} not found"
            return self._write(volume, lambda status: conditions.bound(status, None, message=text), 1.0)
        class_name = storage_class(volume, self.cluster.list(CLASSES))
        profile = self.cluster.get("storageprofiles.cdi.kubevirt.io", None, class_name) if class_name else None
        size = (origin or {}).get("spec", {}).get("resources", {}).get("requests", {}).get("storage")
        try:
            self.cluster.create(CLAIMS, claim(volume, class_name, profile, size), manager=MANAGER)
        except ApiError as error:
            message = str(error)
            self.refused.setdefault(meta["namespace"], set()).add(meta["name"])
            reason = conditions.QUOTA if "exceeded quota:" in message else "ErrClaimNotValid"
            if message != _condition_message(volume):
                event(self.cluster, volume, reason, message, component=COMPONENT, warning=True)
            return self._write(volume, lambda status: conditions.refused(status, message), self.pace.retry_quota)
        self.refused.get(meta["namespace"], set()).discard(meta["name"])
        event(self.cluster, volume, "Pending", f"PVC {meta['name']} Pending", component=COMPONENT)
        return 0.0

    def _foreign_claim(self, volume: Object, pvc: Object) -> float | None:
        """A claim of that name is somebody else's: adopted only when it says it is populated for this volume."""
        meta = volume["metadata"]
        if (meta.get("annotations") or {}).get(PREPOPULATED) == meta["name"]:
            return self._write(volume, lambda status: conditions.succeeded(status, "Import"), None)
        text = f'Resource "{pvc["metadata"]["name"]}" already exists and is not managed by DataVolume'
        if text != _condition_message(volume):
            event(self.cluster, volume, "ErrResourceExists", text, component=COMPONENT, warning=True)
        return self._write(volume, lambda status: conditions.refused(status, text), 5.0)

    # the transfer

    def _transfer(self, volume: Object, pvc: Object) -> float | None:
        kind, source = source_of(volume, self.cluster.get)
        if pvc.get("status", {}).get("phase") != "Bound":
            return self._unbound(volume, pvc)
        if kind == "upload":
            return self._upload(volume, pvc)
        verb = "import" if kind in IMPORTS else "clone"
        before, during = NEXT_PHASE[verb]
        transfer = self.transfers.get(volume["metadata"]["uid"])
        if transfer is None:
            if kind == "pvc" and not self._source_ready(source):
                return self._write(volume, lambda status: self._waiting(status, pvc, before), 0.5)
            transfer = self._begin(volume, pvc, kind, source)
            return self._write(volume, lambda status: self._waiting(status, pvc, before), self.pace.import_tick)
        if transfer.failure is not None:
            return self._after_failure(volume, pvc, transfer, during)
        clock = time.monotonic()
        if not transfer.done or clock - transfer.began < self.pace.import_at_least:
            if clock < transfer.next_report:
                return transfer.next_report - clock
            transfer.next_report = clock + self.pace.import_tick
            share = self._share(transfer)
            return self._write(volume, lambda status: self._moving(status, pvc, during, share), self.pace.import_tick)
        self.transfers.pop(volume["metadata"]["uid"], None)
        return self._finish(volume, pvc, verb)

    def _unbound(self, volume: Object, pvc: Object) -> float | None:
        storage = self.cluster.get(CLASSES, None, pvc["spec"].get("storageClassName") or "-") or {}
        lazy = storage.get("volumeBindingMode") == "WaitForFirstConsumer"
        phase = "WaitForFirstConsumer" if lazy else "Pending"

        def change(status: Object) -> None:
            status |= {"phase": phase, "progress": "N/A", "claimName": pvc["metadata"]["name"]}
            conditions.bound(status, pvc)
            conditions.put(status, "Running", "False")

        return self._write(volume, change, None)

    def _upload(self, volume: Object, pvc: Object) -> float | None:
        def change(status: Object) -> None:
            self._moving(status, pvc, "UploadReady", None)

        return self._write(volume, change, None)

    def _source_ready(self, source: Object) -> bool:
        """A clone waits until its source is bound and, when a DataVolume fills it, filled."""
        origin = self.cluster.get(CLAIMS, source["namespace"], source["name"])
        if origin is None or origin.get("status", {}).get("phase") != "Bound":
            return False
        filler = self.cluster.get(VOLUMES, source["namespace"], source["name"])
        return filler is None or filler.get("status", {}).get("phase") == "Succeeded"

    def _begin(self, volume: Object, pvc: Object, kind: str, source: Object) -> Transfer:
        transfer = self.transfers[volume["metadata"]["uid"]] = Transfer(time.monotonic())
        word = "Import" if kind in IMPORTS else "Clone"
        text = f"{word} into {pvc['metadata']['name']} scheduled"
        event(self.cluster, volume, f"{word}Scheduled", text, component=COMPONENT)
        if kind == "http":
            transfer.download = Download(
                source["url"],
                size_of(pvc),
                headers=_headers(source),
                checksum=source.get("checksum", ""),
                verify=not source.get("insecureSkipVerify"),
            )
            self.cluster.spawn(self._run(transfer, volume["metadata"]))
        elif kind in ("registry", "s3", "gcs", "imageio", "vddk"):
            transfer.failure = Failure(
                f"Unable to connect to {kind} data source: not reachable from the sandbox cluster"
            )
        else:
            transfer.done = True  # blank disks and clones only take their time
        return transfer

    async def _run(self, transfer: Transfer, meta: Object) -> None:
        download = transfer.download
        if download is None:
            return
        try:
            await asyncio.to_thread(download.run)
            transfer.done = True
        except Failure as failure:
            transfer.failure = failure
        except Exception as error:  # whatever it was is this import's failure
            transfer.failure = Failure(f"Unable to process data: {error}")
        self.worker.wake(meta["namespace"], meta["name"])

    def _share(self, transfer: Transfer) -> float:
        """Never ahead of the bytes nor of the time a transfer takes at least, and 100 % only at the end."""
        elapsed = time.monotonic() - transfer.began
        planned = elapsed / self.pace.import_at_least if self.pace.import_at_least else 1.0
        real = transfer.download.share if transfer.download and not transfer.done else 1.0
        return min(real, planned, 0.99)

    def _after_failure(self, volume: Object, pvc: Object, transfer: Transfer, during: str) -> float | None:
        failure = transfer.failure or Failure("unknown")
        if failure.fatal:
            self.transfers.pop(volume["metadata"]["uid"], None)
            event(self.cluster, volume, "ImportFailed", failure.message, component=COMPONENT, warning=True)
            return self._write(volume, lambda status: conditions.failed(status, "Failed", failure.message), None)
        if not transfer.retry_at:
            transfer.retry_at = time.monotonic() + self.pace.retry_import * min(2**transfer.tries, 20)
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
        tries = transfer.tries
        kind, source = source_of(volume, self.cluster.get)
        self._begin(volume, pvc, kind, source).tries = tries
        return self.pace.import_tick

    def _finish(self, volume: Object, pvc: Object, verb: str) -> float | None:
        word = verb.capitalize()
        pvc["metadata"].setdefault("annotations", {})["cdi.kubevirt.io/storage.pod.phase"] = "Succeeded"
        self.cluster.update(CLAIMS, pvc, manager=MANAGER)

        def change(status: Object) -> None:
            status["claimName"] = pvc["metadata"]["name"]
            conditions.bound(status, pvc)
            conditions.succeeded(status, word)

        text = f"Successfully {'imported into' if verb == 'import' else 'cloned into'} PVC {pvc['metadata']['name']}"
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
    return str(condition(volume, "Running").get("message", ""))


def _headers(source: Object) -> dict[str, str]:
    pairs = (line.partition(":") for line in source.get("extraHeaders") or [])
    return {name.strip(): value.strip() for name, _, value in pairs}
