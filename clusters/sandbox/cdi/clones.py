"""Clones: what a source must be before it can be cloned, and how large the clone gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.claims import size_of, source_of
from clusters.sandbox.cdi.staging import Blocked
from clusters.sandbox.cdi.storage import CLAIMS
from clusters.sandbox.quantity import parse

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
SNAPSHOTS = "volumesnapshots.snapshot.storage.k8s.io"
VOLUMES = "datavolumes.cdi.kubevirt.io"
INVALID = "The clone doesn't meet the validation requirements: "


class Clones:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def origin(self, volume: Object) -> Object | None:
        kind, source = source_of(volume, self.cluster.get)
        resource = {"pvc": CLAIMS, "snapshot": SNAPSHOTS}.get(kind)
        return self.cluster.get(resource, source["namespace"], source["name"]) if resource else None

    def problem(self, volume: Object) -> Blocked | None:
        """Why there is nothing to clone from, or no room to clone into."""
        kind, source = source_of(volume, self.cluster.get)
        reference = volume["spec"].get("sourceRef")
        if not kind and reference:
            namespace = reference.get("namespace") or volume["metadata"]["namespace"]
            found = self.cluster.get("datasources.cdi.kubevirt.io", namespace, reference["name"])
            text = f"DataSource {namespace}/{reference['name']} " + ("has no source" if found else "not found")
            return Blocked("CloneWithoutSource", text)
        if kind not in ("pvc", "snapshot"):
            return None
        origin = self.origin(volume)
        if origin is None:
            return Blocked("CloneWithoutSource", f"The source {kind} {source['name']} doesn't exist")
        wanted, there = _requested(volume), _size(origin, kind)
        if wanted and wanted < there:
            why = "target resources requests storage size is smaller than the source"
            return Blocked("CloneValidationFailed", f"{INVALID}{why} {wanted} < {there}")
        return None

    def size(self, volume: Object) -> str | None:
        """The source's size as text: what a clone without a size of its own asks for."""
        origin = self.origin(volume)
        if origin is None:
            return None
        if origin["kind"] == "VolumeSnapshot":
            return (origin.get("status") or {}).get("restoreSize")
        return (origin["spec"].get("resources", {}).get("requests") or {}).get("storage")

    def ready(self, kind: str, source: Object) -> bool:
        """A claim must be bound and filled, a snapshot taken."""
        if kind == "snapshot":
            found = self.cluster.get(SNAPSHOTS, source["namespace"], source["name"])
            return bool((found or {}).get("status", {}).get("readyToUse"))
        if kind != "pvc":
            return True
        origin = self.cluster.get(CLAIMS, source["namespace"], source["name"])
        if origin is None or origin.get("status", {}).get("phase") != "Bound":
            return False
        filler = self.cluster.get(VOLUMES, source["namespace"], source["name"])
        return filler is None or filler.get("status", {}).get("phase") == "Succeeded"

    def grows(self, volume: Object, pvc: Object) -> bool:
        """Whether the clone is larger than what it was cloned from."""
        origin = self.origin(volume)
        return origin is not None and origin["kind"] != "VolumeSnapshot" and size_of(pvc) > size_of(origin)


def _requested(volume: Object) -> int:
    wanted = volume["spec"].get("storage") or volume["spec"].get("pvc") or {}
    return int(parse(((wanted.get("resources") or {}).get("requests") or {}).get("storage", "0")))


def _size(origin: Object, kind: str) -> int:
    if kind == "snapshot":
        return int(parse((origin.get("status") or {}).get("restoreSize") or "0"))
    return int(parse((origin["spec"].get("resources", {}).get("requests") or {}).get("storage", "0")))
