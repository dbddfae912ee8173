"""DataImportCrons: a registry is asked for its digest by schedule; a new one becomes a new DataVolume.

A managed DataSource points at the newest that is filled; older imports beyond `importsToKeep` are deleted.
"""

from __future__ import annotations

import threading
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.conditions import put
from clusters.sandbox.cdi.crontab import next_run
from clusters.sandbox.cdi.download import Failure
from clusters.sandbox.cdi.objects import event, owner_reference
from clusters.sandbox.cdi.pace import Pace
from clusters.sandbox.cdi.registry import Registry
from clusters.sandbox.cdi.sources import insecure, secret
from clusters.sandbox.cdi.worker import Worker
from clusters.sandbox.clock import CLOCK, FORMAT
from clusters.sandbox.errors import ApiError

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
CRONS, VOLUMES, SOURCES = (
    "dataimportcrons.cdi.kubevirt.io",
    "datavolumes.cdi.kubevirt.io",
    "datasources.cdi.kubevirt.io",
)
MANAGER = "cdi-deployment"
LABEL = "cdi.kubevirt.io/dataImportCron"
NEXT, DIGEST = "cdi.kubevirt.io/storage.import.nextCronTime", "cdi.kubevirt.io/storage.import.sourceDesiredDigest"
KEEP = 3
DEFAULT_LABELS = ("default-instancetype", "default-instancetype-kind", "default-preference", "default-preference-kind")


class ImportCrons:
    def __init__(self, cluster: Cluster, pace: Pace) -> None:
        self.cluster = cluster
        self.pace = pace
        self.polls: dict[str, str | Failure | None] = {}  # by uid: None while asked, then the digest or why not
        self.worker = Worker(cluster, "dataimportcrons", self.reconcile)
        self.worker.subscribe(CRONS)
        cluster.subscribe([VOLUMES], self._volume_changed)

    def _volume_changed(self, _resource: str, namespace: str | None, name: str) -> None:
        volume = self.cluster.get(VOLUMES, namespace, name)
        cron = ((volume or {}).get("metadata", {}).get("labels") or {}).get(LABEL)
        if cron:
            self.worker.wake(namespace, cron)

    def reconcile(self, namespace: str, name: str) -> float | None:
        cron = self.cluster.get(CRONS, namespace, name)
        if cron is None or cron["metadata"].get("deletionTimestamp"):
            return None
        before = deepcopy(cron)
        again = self._poll(cron)
        self._import(cron)
        self._progress(cron)
        if cron != before:
            self.cluster.update(CRONS, cron, manager=MANAGER)
        return again

    # the source's digest

    def _poll(self, cron: Object) -> float | None:
        """Asks the registry when it is time; answers the seconds until the next time."""
        meta = cron["metadata"]
        annotations = meta.setdefault("annotations", {})
        if meta["uid"] in self.polls:
            found = self.polls[meta["uid"]]
            if found is None:
                return None
            del self.polls[meta["uid"]]
            if isinstance(found, Failure):
                event(self.cluster, cron, "Error", found.message, component=MANAGER, warning=True)
                put(cron.setdefault("status", {}), "UpToDate", "False", "NoDigest", "No source digest")
                return self.pace.retry_import
            annotations[DIGEST] = found
        due = annotations.get(NEXT)
        if due is None or CLOCK.until(due) <= 0:
            try:
                following = next_run(cron["spec"].get("schedule") or "@daily", CLOCK.now())
            except ValueError as error:
                event(self.cluster, cron, "Error", f"Illegal cron schedule: {error}", component=MANAGER, warning=True)
                return None
            if following is None:
                return None
            annotations[NEXT] = following.strftime(FORMAT)
            cron.setdefault("status", {})["lastExecutionTimestamp"] = CLOCK.stamp()
            self._ask(cron)
        return max(1.0, CLOCK.until(annotations[NEXT]))

    def _ask(self, cron: Object) -> None:
        meta = cron["metadata"]
        source = ((cron["spec"]["template"]["spec"].get("source") or {}).get("registry")) or {}
        self.polls[meta["uid"]] = None
        namespace, name, uid = meta["namespace"], meta["name"], meta["uid"]

        def over(result: str | Failure) -> None:
            self.polls[uid] = result
            self.worker.wake(namespace, name)

        def work() -> None:
            result: str | Failure
            try:
                result = self._digest(source, namespace)
            except Failure as failure:
                result = failure
            self.cluster.from_thread(lambda: over(result))

        threading.Thread(target=work, daemon=True, name=f"poll {name}").start()

    def _digest(self, source: Object, namespace: str) -> str:
        url = source.get("url") or ""
        keys = secret(self.cluster.get, namespace, source["secretRef"]) if source.get("secretRef") else {}
        host = url.removeprefix("docker://").partition("/")[0]
        registry = Registry(
            url,
            user=keys.get("accessKeyId", ""),
            password=keys.get("secretKey", ""),
            insecure=insecure(self.cluster.get, host),
        )
        return registry.manifest()[1]

    # what follows from it

    def _import(self, cron: Object) -> None:
        meta, status = cron["metadata"], cron.setdefault("status", {})
        digest = meta["annotations"].get(DIGEST)
        imports = status.get("currentImports") or []
        if not digest or (imports and imports[0]["Digest"] == digest):
            return
        name = f"{cron['spec']['managedDataSource']}-{digest.removeprefix('sha256:')[:12]}"
        if self.cluster.get(VOLUMES, meta["namespace"], name) is None:
            try:
                self.cluster.create(VOLUMES, self._volume(cron, name, digest), manager=MANAGER)
            except ApiError as error:
                event(self.cluster, cron, "Error", str(error), component=MANAGER, warning=True)
                return
        status["currentImports"] = [{"DataVolumeName": name, "Digest": digest}]

    def _volume(self, cron: Object, name: str, digest: str) -> Object:
        """A volume of exactly that digest, so that a moved tag can't slip in."""
        template, meta = cron["spec"]["template"], cron["metadata"]
        spec = deepcopy(template["spec"])
        url = spec["source"]["registry"]["url"]
        head, slash, tail = url.rpartition("/")
        spec["source"]["registry"]["url"] = f"{head}{slash}{tail.partition(':')[0].partition('@')[0]}@{digest}"
        given = template.get("metadata") or {}
        labels = (given.get("labels") or {}) | self._default_labels(cron) | {LABEL: meta["name"]}
        annotations = (given.get("annotations") or {}) | {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"}
        return {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": "DataVolume",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [owner_reference(cron)],
            },
            "spec": spec,
        }

    def _default_labels(self, cron: Object) -> dict[str, str]:
        own = cron["metadata"].get("labels") or {}
        names = [f"instancetype.kubevirt.io/{name}" for name in DEFAULT_LABELS]
        return {name: own[name] for name in names if name in own}

    def _progress(self, cron: Object) -> None:
        status, meta = cron["status"], cron["metadata"]
        imports = status.get("currentImports") or []
        phase = ""
        if imports:
            volume = self.cluster.get(VOLUMES, meta["namespace"], imports[0]["DataVolumeName"])
            phase = (volume or {}).get("status", {}).get("phase", "")
        if phase == "Succeeded":
            self._succeeded(cron, imports[0]["DataVolumeName"])
        elif phase == "ImportInProgress":
            put(status, "Progressing", "True", "ImportProgressing", "Import is progressing")
        elif imports:
            put(status, "Progressing", "False", phase or "Pending", f"Import DataVolume phase {phase}")
        else:
            put(status, "Progressing", "False", "NoImport", "No current import")
        if phase and phase != "Succeeded":
            put(status, "UpToDate", "False", "ImportProgressing", "Import is progressing")

    def _succeeded(self, cron: Object, name: str) -> None:
        status, meta = cron["status"], cron["metadata"]
        place = {"namespace": meta["namespace"], "name": name}
        if status.get("lastImportedPVC") != place:
            status["lastImportedPVC"], status["lastImportTimestamp"] = place, CLOCK.stamp()
        status["sourceFormat"] = "pvc"
        put(status, "Progressing", "False", "NoImport", "No current import")
        put(status, "UpToDate", "True", "UpToDate", "Latest import is up to date")
        self._point(cron, place)
        if cron["spec"].get("garbageCollect") != "Never":
            self._collect(cron, name)

    def _point(self, cron: Object, place: Object) -> None:
        meta, name = cron["metadata"], cron["spec"]["managedDataSource"]
        found = self.cluster.get(SOURCES, meta["namespace"], name)
        spec = {"source": {"pvc": place}}
        labels = self._default_labels(cron) | {LABEL: meta["name"]}
        if found is None:
            body: Object = {
                "apiVersion": "cdi.kubevirt.io/v1beta1",
                "kind": "DataSource",
                "metadata": {"name": name, "namespace": meta["namespace"], "labels": labels},
                "spec": spec,
            }
            if cron["spec"].get("retentionPolicy") == "None":
                body["metadata"] = body["metadata"] | {"ownerReferences": [owner_reference(cron)]}
            self.cluster.create(SOURCES, body, manager=MANAGER)
            return
        owner = (found["metadata"].get("labels") or {}).get(LABEL)
        if owner not in (None, "", meta["name"]):
            text = f"DataSource {name} is already managed by DataImportCron {owner}"
            event(self.cluster, cron, "ErrDataSourceAlreadyManaged", text, component=MANAGER, warning=True)
        elif owner == meta["name"] and found["spec"] != spec:
            found["spec"] = spec
            self.cluster.update(SOURCES, found, manager=MANAGER)

    def _collect(self, cron: Object, newest: str) -> None:
        """Deletes the oldest imports beyond what is to be kept."""
        meta = cron["metadata"]
        wanted = cron["spec"].get("importsToKeep")
        keep = KEEP if wanted is None else int(wanted)
        mine = [
            volume
            for volume in self.cluster.list(VOLUMES, meta["namespace"])
            if (volume["metadata"].get("labels") or {}).get(LABEL) == meta["name"]
        ]
        mine.sort(key=lambda volume: (volume["metadata"]["name"] == newest, _made(volume)), reverse=True)
        for volume in mine[max(keep, 1) :]:
            if not volume["metadata"].get("deletionTimestamp"):
                self.cluster.delete(VOLUMES, meta["namespace"], volume["metadata"]["name"])


def _made(volume: Object) -> tuple[datetime, int]:
    stamp = datetime.strptime(volume["metadata"]["creationTimestamp"], FORMAT).replace(tzinfo=UTC)
    return stamp, int(volume["metadata"]["resourceVersion"])
