"""Owner garbage collection and the protection finalizers (k8s-replay 03)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.admission import PROTECTION
from clusters.sandbox.call import Call
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.deletes import FOREGROUND, ORPHAN, DeleteOptions
from clusters.sandbox.errors import ApiError
from clusters.sandbox.store import Change, Stored

Object = dict[str, Any]
DELAY = 0.3  # the real collector took a third of it, yet a client on a busy machine must not be overtaken


class Collector:
    """Deletes dependents whose owners are gone; carries out Foreground and Orphan."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        cluster.observe(self._changed)
        cluster.after(DELAY, self._resume)

    def _resume(self) -> None:
        """A restarted cluster goes on where it was: owners that went and ends that began before it was killed."""
        for resource, shelf in list(self.cluster.store.shelves.items()):
            for key, stored in list(shelf.objects.items()):
                if stored.meta.get("deletionTimestamp"):
                    self._terminating(resource, key)
                elif stored.meta.get("ownerReferences"):
                    self._check_owners(resource, key)

    def _changed(self, resource: str, change: Change) -> None:
        meta = change.after.meta
        uid, key = meta["uid"], change.key
        finalizer = PROTECTION.get(resource)
        if finalizer and change.kind != "DELETED" and finalizer not in (meta.get("finalizers") or ()):
            self.cluster.after(DELAY, lambda: self._protect(resource, key))
        if resource == "pods" and change.kind == "DELETED":
            self._lets_go(change.after)
        if change.kind == "DELETED":
            if uid in self.cluster.store.dependents:
                self.cluster.after(DELAY, lambda: self._owner_gone(uid))
            self._owners_may_go(meta)
            return
        if meta.get("deletionTimestamp"):
            self.cluster.after(DELAY, lambda: self._terminating(resource, key))
            self._owners_may_go(meta)
        elif meta.get("ownerReferences") and (
            change.before is None or change.before.meta.get("ownerReferences") != meta["ownerReferences"]
        ):
            self.cluster.after(DELAY, lambda: self._check_owners(resource, key))

    def _protect(self, resource: str, key: str) -> None:
        """Whoever took the finalizer away, it comes back."""
        stored = self.cluster.store.get(resource, key)
        if stored is None or stored.meta.get("deletionTimestamp"):
            return
        present = stored.meta.get("finalizers") or []
        if PROTECTION[resource] not in present:
            obj = stored.copy()
            obj["metadata"]["finalizers"] = [*present, PROTECTION[resource]]
            self.cluster.controller_write(resource, obj, manager="kube-controller-manager")

    def _lets_go(self, pod: Stored) -> None:
        """What it mounted may have been deleted meanwhile, and waited for it."""
        for name in _claims(pod):
            key = f"{pod.meta['namespace']}/{name}"
            self.cluster.after(DELAY, lambda key=key: self._terminating("persistentvolumeclaims", key))  # type: ignore[misc]

    def _owners_may_go(self, meta: Object) -> None:
        """A dependent's end may release an owner that waits in foreground deletion."""
        for owner in meta.get("ownerReferences") or ():
            place = self.cluster.store.uids.get(owner["uid"])
            if place is not None:
                self.cluster.after(DELAY, lambda place=place: self._terminating(*place))  # type: ignore[misc]

    def _terminating(self, resource: str, key: str) -> None:
        stored = self.cluster.store.get(resource, key)
        if stored is None or not stored.meta.get("deletionTimestamp"):
            return
        finalizers = stored.meta.get("finalizers") or []
        if FOREGROUND in finalizers:
            self._foreground(resource, key, stored)
        elif ORPHAN in finalizers:
            self._orphan(resource, key, stored)
        elif PROTECTION.get(resource) in finalizers and not self._in_use(resource, stored):
            self._release(resource, key, PROTECTION[resource])

    def _in_use(self, resource: str, stored: Stored) -> bool:
        """A claim that a pod on a node mounts, though it has ended, a volume that a claim holds.

        No other pod ever will: none is placed that mounts a claim on its way (pvc_protection_controller.go).
        """
        meta = stored.meta
        if resource == "persistentvolumes":
            return (stored.obj.get("status") or {}).get("phase") == "Bound"
        pods = self.cluster.store.shelf("pods").items(meta.get("namespace"))
        return any(meta["name"] in _claims(pod) for pod in pods if _is_placed(pod))

    def _dependents(self, uid: str) -> list[tuple[str, str, Stored, Object]]:
        out = []
        for resource, key in sorted(self.cluster.store.dependents.get(uid, ())):
            stored = self.cluster.store.get(resource, key)
            if stored is None:
                continue
            ref = next((r for r in stored.meta.get("ownerReferences") or () if r["uid"] == uid), None)
            if ref is not None:
                out.append((resource, key, stored, ref))
        return out

    def _foreground(self, resource: str, key: str, owner: Stored) -> None:
        blocking = False
        for child_resource, child_key, stored, ref in self._dependents(owner.meta["uid"]):
            others = [r for r in stored.meta["ownerReferences"] if r is not ref and self._alive(r)]
            if others:  # it lives on with those
                self._drop_reference(child_resource, child_key, stored, [ref["uid"]])
                continue
            if not stored.meta.get("deletionTimestamp"):
                self._delete(
                    child_resource,
                    stored,
                    "Foreground" if stored.meta["uid"] in self.cluster.store.dependents else "Background",
                )
            if ref.get("blockOwnerDeletion") and self.cluster.store.get(child_resource, child_key) is not None:
                blocking = True
        if not blocking:
            self._release(resource, key, FOREGROUND)

    def _orphan(self, resource: str, key: str, owner: Stored) -> None:
        for child_resource, child_key, stored, ref in self._dependents(owner.meta["uid"]):
            self._drop_reference(child_resource, child_key, stored, [ref["uid"]])
        self._release(resource, key, ORPHAN)

    def _drop_reference(self, resource: str, key: str, stored: Stored, uids: list[str]) -> None:
        obj = stored.copy()
        meta = obj["metadata"]
        meta["ownerReferences"] = [ref for ref in meta["ownerReferences"] if ref["uid"] not in uids]
        self._forget_fields(meta, uids)
        if not meta["ownerReferences"]:
            del meta["ownerReferences"]
        self.cluster.store.put(resource, key, obj)

    def _forget_fields(self, meta: Object, uids: list[str]) -> None:
        """What is gone can be owned by nobody."""
        left = {f'k:{{"uid":"{ref["uid"]}"}}' for ref in meta["ownerReferences"]}
        entries = []
        for entry in meta.get("managedFields") or ():
            fields = entry["fieldsV1"]
            references = fields.get("f:metadata", {}).get("f:ownerReferences")
            if references is not None:
                kept = {name: node for name, node in references.items() if name in left or (name == "." and left)}
                metadata = {name: node for name, node in fields["f:metadata"].items() if name != "f:ownerReferences"}
                if kept:
                    metadata["f:ownerReferences"] = kept
                fields = {name: node for name, node in fields.items() if name != "f:metadata"}
                if metadata:
                    fields["f:metadata"] = metadata
            if fields:
                entries.append({**entry, "fieldsV1": fields})
        if entries:
            meta["managedFields"] = entries
        else:
            meta.pop("managedFields", None)

    def _release(self, resource: str, key: str, finalizer: str) -> None:
        stored = self.cluster.store.get(resource, key)
        if stored is None:
            return
        left = [name for name in stored.meta.get("finalizers") or () if name != finalizer]
        waits = resource == "namespaces" and (stored.obj.get("spec") or {}).get("finalizers")
        if not left and not waits:
            self.cluster.store.remove(resource, key)
            return
        meta = {name: value for name, value in stored.meta.items() if name != "finalizers"}
        if left:
            meta["finalizers"] = left
        self.cluster.store.put(resource, key, {**stored.obj, "metadata": meta})

    def _alive(self, ref: Object) -> bool:
        place = self.cluster.store.uids.get(ref["uid"])
        if place is None:
            return False
        owner = self.cluster.store.get(*place)
        if owner is None:
            return False
        return FOREGROUND not in (owner.meta.get("finalizers") or ()) or not owner.meta.get("deletionTimestamp")

    def _owner_gone(self, uid: str) -> None:
        for resource, key, _, _ in self._dependents(uid):
            self._check_owners(resource, key)

    def _check_owners(self, resource: str, key: str) -> None:
        """All owners absent: delete. Some: drop the absent ones from the list."""
        stored = self.cluster.store.get(resource, key)
        if stored is None or stored.meta.get("deletionTimestamp"):
            return
        refs = stored.meta.get("ownerReferences") or []
        absent = [ref["uid"] for ref in refs if not self._exists(ref, stored)]
        if not absent:
            return
        if len(absent) < len(refs):
            self._drop_reference(resource, key, stored, absent)
        else:
            self._delete(resource, stored, "")

    def _exists(self, ref: Object, dependent: Stored) -> bool:
        """An owner counts only in the dependent's namespace or at cluster scope."""
        place = self.cluster.store.uids.get(ref["uid"])
        if place is None:
            return self.cluster.registry.find_kind(ref["apiVersion"], ref["kind"]) is None
        owner = self.cluster.store.get(*place)
        if owner is None:
            return False
        namespace = owner.meta.get("namespace")
        same = namespace is None or namespace == dependent.meta.get("namespace")
        return bool(same and owner.obj["kind"] == ref["kind"] and owner.meta["name"] == ref["name"])

    def _delete(self, resource: str, stored: Stored, policy: str) -> None:
        found = self.cluster.registry.by_key.get(resource)
        if found is None:
            return
        call = Call(found, stored.meta.get("namespace"), stored.meta["name"], internal=True)
        try:
            self.cluster.deleter.delete(call, DeleteOptions(uid=stored.meta["uid"], propagation=policy))
        except ApiError as problem:
            if problem.code not in {404, 409}:
                raise


def _is_placed(pod: Stored) -> bool:
    return bool(pod.obj["spec"].get("nodeName"))


def _claims(pod: Stored) -> list[str]:
    """Names of the claims that it mounts."""
    volumes = pod.obj["spec"].get("volumes") or ()
    return [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")]
