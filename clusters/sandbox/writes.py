"""Create, update, patch and apply: one pipeline in the order of the real server.

decode → default → ownership → mutating admission → prepare → validate → validating admission and quota → store
"""

from __future__ import annotations

import random
import uuid
from typing import Any

import orjson

from clusters.sandbox import (
    access,
    bodies,
    errors,
    escalation,
    kind_warnings,
    objectmeta,
    patches,
    strategies,
    structural,
)
from clusters.sandbox.admission import Admission
from clusters.sandbox.applied import check_applied
from clusters.sandbox.call import Call, now
from clusters.sandbox.managers import Tracker
from clusters.sandbox.resources import Registry
from clusters.sandbox.store import Store, Stored

Object = dict[str, Any]
OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"
GENERATED_BASE = 58  # longer beginnings are cut, so that the whole is a label
NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # the letters the real server draws generated names from


class Writer:
    """Writes to one store."""

    def __init__(self, store: Store, registry: Registry, admission: Admission) -> None:
        self.store = store
        self.registry = registry
        self.admission = admission

    def tracker(self, call: Call) -> Tracker:
        resource = call.resource
        part = call.subresource or call.owned_as
        return Tracker(resource.node, resource.api_version, part, resource.status, now())

    def existing(self, call: Call) -> Stored:
        stored = self.store.get(call.resource.key, call.key)
        if stored is None:
            raise errors.not_found(call.resource.plural, call.resource.group, call.name)
        return stored

    # create

    def create(self, call: Call, body: Object) -> Stored:
        obj = bodies.decode(call, body)
        self._address(call, obj)
        tracker = self.tracker(call)
        obj["metadata"].pop("managedFields", None)
        entries = tracker.created(obj, call.manager)
        return self._create(call, obj, entries)

    def create_by_put(self, call: Call, body: Object) -> Stored:
        """A PUT on a name that is free, of a kind that allows it."""
        obj = bodies.decode(call, body)
        self._same_address(call, obj)
        return self._create(call, obj, self.tracker(call).created(obj, call.manager))

    def _address(self, call: Call, obj: Object) -> None:
        """Name and namespace of a new object: from the URL or generated."""
        meta = obj["metadata"]
        if call.resource.namespaced:
            if meta.get("namespace") and meta["namespace"] != call.namespace:
                raise errors.bad_request(OTHER_NAMESPACE)
            meta["namespace"] = call.namespace
        else:
            meta.pop("namespace", None)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = call.once("name", lambda: meta["generateName"][:GENERATED_BASE] + _suffix())
            call.generated = True
        call.name = meta.get("name", "")

    def _create(self, call: Call, obj: Object, entries: list[Object]) -> Stored:
        resource = call.resource
        meta = obj["metadata"]
        version = meta.pop("resourceVersion", None)
        objectmeta.one_of_each_owner(call, meta)
        meta["uid"] = call.once("uid", lambda: str(uuid.uuid4()))
        meta["creationTimestamp"] = call.once("moment", now)
        uid, moment = meta["uid"], meta["creationTimestamp"]
        call.owned = entries
        obj = self.admission.mutate(call, obj, None)
        escalation.check(self.store, call, obj, None)
        meta = obj["metadata"]
        for name in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields"):
            meta.pop(name, None)
        meta["uid"], meta["creationTimestamp"] = uid, moment
        strategies.begin(resource, obj, None, self.store)
        strategies.prepare_create(resource, obj, self.store)
        found = objectmeta.create_errors(resource, obj) + strategies.errors(resource, obj, None, self.store)
        found = strategies.finish(resource, found)
        if found:
            raise errors.invalid(resource.kind, resource.group, meta.get("name", ""), found)
        if resource.custom:
            call.warnings += objectmeta.finalizer_warnings(meta)
        call.warnings += kind_warnings.of(resource.key, obj)
        strategies.canonicalize(resource, obj)
        if entries:
            meta["managedFields"] = entries
        charge = self.admission.validate(call, obj, None)
        present = self.store.get(resource.key, call.key)
        if present is not None:
            terminating = bool(present.meta.get("deletionTimestamp"))
            taken = errors.already_exists(resource.plural, resource.group, call.name, terminating=terminating)
            if meta.get("generateName"):
                taken.body["message"] += ", the server was not able to generate a unique name for the object"
                taken.body["details"]["retryAfterSeconds"] = 1
            raise taken
        if version and not call.dry_run:
            raise errors.internal("resourceVersion should not be set on objects to be created")
        if call.dry_run:
            if version:
                meta["resourceVersion"] = version  # the store, which minds, is never asked
            return Stored(obj, orjson.dumps(obj), 0)
        charge()
        return self.store.put(resource.key, call.key, self._kept(call, obj))

    # update

    def update(self, call: Call, body: Object) -> Stored:
        new = bodies.decode(call, body)
        self._same_address(call, new)
        old = self._seen(call)
        self._optimistic(call, old, new, patch=False)
        entries = self._updated_entries(call, old, new)
        return self._update(call, old, new, entries)

    def _same_address(self, call: Call, obj: Object) -> None:
        meta = obj["metadata"]
        name = meta.get("name")
        if name and name != call.name:
            raise errors.bad_request(
                f"the name of the object ({name}) does not match the name on the URL ({call.name})"
            )
        if not name:
            text = f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided"
            raise errors.bad_request(text)
        if call.resource.namespaced and (meta.get("namespace") or call.namespace) != call.namespace:
            raise errors.bad_request(OTHER_NAMESPACE)
        if call.resource.namespaced:
            meta["namespace"] = call.namespace
        else:
            meta.pop("namespace", None)

    def _optimistic(self, call: Call, old: Stored, new: Object, *, patch: bool) -> None:
        """The lock by resourceVersion, and for a PUT by uid."""
        resource = call.resource
        meta = new["metadata"]
        version = meta.get("resourceVersion", "")
        if not version and strategies.wants_version(resource):
            why = errors.FieldError("Invalid value", "metadata.resourceVersion", "0: must be specified for an update")
            raise errors.invalid(resource.plural, resource.group, call.name, [why])
        if version and not version.isdigit():
            raise errors.internal(f'strconv.ParseUint: parsing "{version}": invalid syntax')
        uid = meta.get("uid")
        if uid and uid != old.meta["uid"] and not patch:
            group = f"{resource.group}/" if resource.custom else ""
            path = f"/registry/{group}{resource.plural}/{call.key}"
            why_uid = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.meta['uid']}"
            text = (
                f"StorageError: invalid object, Code: 4, Key: {path}, ResourceVersion: 0, AdditionalErrorMsg: {why_uid}"
            )
            raise errors.conflict(resource.plural, resource.group, call.name, text)
        if version and version != old.meta["resourceVersion"]:
            raise errors.conflict(resource.plural, resource.group, call.name)

    def _updated_entries(self, call: Call, old: Stored, new: Object) -> list[Object]:
        return self.tracker(call).updated(old.obj, new, call.manager)

    def _update(self, call: Call, old: Stored, new: Object, entries: list[Object]) -> Stored:
        resource = call.resource
        new = self._merge_subresource(call, old, new)
        meta = new["metadata"] = {**new["metadata"]}
        objectmeta.one_of_each_owner(call, meta)
        self._keep_system_fields(old, meta)
        meta.pop("managedFields", None)
        if entries:
            meta["managedFields"] = entries
        new = self.admission.mutate(call, new, old.obj)
        escalation.check(self.store, call, new, old.obj)
        meta = new["metadata"]
        strategies.begin(resource, new, old.obj, self.store, call.subresource)
        strategies.prepare_update(resource, new, old.obj, call.subresource)
        found = objectmeta.update_errors(resource, old.obj, new, call.subresource)
        found += strategies.errors(resource, new, old.obj, self.store, call.subresource)
        found = strategies.finish(resource, found)
        if found:
            raise errors.invalid(resource.kind, resource.group, call.name, found)
        if resource.custom and meta.get("finalizers") != old.meta.get("finalizers"):
            call.warnings += objectmeta.finalizer_warnings(meta)
        if not call.subresource:
            call.warnings += kind_warnings.of(resource.key, new, old.obj)
        strategies.canonicalize(resource, new)
        meta["uid"] = old.meta["uid"]
        strategies.count_generation(resource, new, old.obj, call.subresource)
        charge = self.admission.validate(call, new, old.obj)
        if same(new, old.obj) and not call.rewrite:
            return old
        if call.dry_run:
            return Stored(new, orjson.dumps(new), 0)
        charge()
        if meta.get("deletionTimestamp") and not meta.get("finalizers") and strategies.may_vanish(resource, new):
            self.store.remove(resource.key, call.key)  # watchers see the state before the last finalizer went
            return Stored(new, orjson.dumps(new), old.version)
        return self.store.put(resource.key, call.key, self._kept(call, new))

    def _merge_subresource(self, call: Call, old: Stored, new: Object) -> Object:
        """/status writes only status; the main resource leaves status alone."""
        if call.subresource == "status":
            merged = {key: value for key, value in old.obj.items() if key != "status"}
            if "status" in new:
                merged["status"] = new["status"]
            return merged
        if call.resource.status:
            merged = {key: value for key, value in new.items() if key != "status"}
            if "status" in old.obj:
                merged["status"] = old.obj["status"]
            return merged
        return new

    def _keep_system_fields(self, old: Stored, meta: Object) -> None:
        for name in (
            "creationTimestamp",
            "generation",
            "selfLink",
            "resourceVersion",
        ):
            if name in old.meta:
                meta[name] = old.meta[name]
            else:
                meta.pop(name, None)
        for name in ("uid", *objectmeta.UNCHANGING):  # another value stays, to be refused
            if name in old.meta:
                meta.setdefault(name, old.meta[name])

    # patches

    def patch(self, call: Call, kind: str, patch: Any) -> Stored:
        old = self._seen(call)
        current = old.obj
        if kind == patches.MERGE:
            changed = patches.merge_patch(current, patch)
        elif kind == patches.STRATEGIC:
            changed = patches.strategic(call.resource.node, current, patch)
        else:
            changed = patches.json_patch(orjson.loads(orjson.dumps(current)), patch)
        if not isinstance(changed, dict):
            raise patches.rejected()
        call.raw = patches.shown(call.resource.node, changed, kind, patch, sorted_keys=call.resource.custom)
        new = bodies.decode(call, changed, patched=True)
        self._same_address(call, new)
        self._optimistic(call, old, new, patch=True)
        entries = self._updated_entries(call, old, new)
        return self._update(call, old, new, entries)

    def view(self, call: Call, obj: Object) -> Object:
        """The document in the version asked for."""
        if obj.get("apiVersion") != call.resource.api_version:
            return structural.converted(call.resource.schema, obj, call.resource.api_version)
        return obj

    def _kept(self, call: Call, obj: Object) -> Object:
        """The document in the version that is stored."""
        stored = self.registry.by_key.get(call.resource.key)
        if stored is None or stored.version == call.resource.version:
            return obj
        return structural.converted(stored.schema, obj, stored.api_version)

    def _seen(self, call: Call) -> Stored:
        """What there is, in the version asked for."""
        stored = self.existing(call)
        obj = self.view(call, stored.obj)
        return stored if obj is stored.obj else Stored(obj, orjson.dumps(obj), stored.version)

    def apply(self, call: Call, body: Any) -> tuple[Stored, bool]:
        """Server-side apply; answers the object and whether it was created."""
        resource = call.resource
        stored = self.store.get(resource.key, call.key)
        if stored is None and call.subresource:
            raise errors.not_found(resource.plural, resource.group, call.name)
        meta = body.get("metadata")
        uid = meta.get("uid") if isinstance(meta, dict) else None
        if stored is None and uid:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise errors.conflict(resource.plural, resource.group, call.name, why)
        check_applied(call, body)
        stored = self._seen(call) if stored is not None else None
        live = stored.obj if stored is not None else None
        merged = self.tracker(call).applied(live, body, call.manager, force=call.force)
        entries = merged["metadata"].get("managedFields") or []
        call.validation = "Ignore"  # unknown fields were refused by the typed check
        new = bodies.decode(call, merged, patched=True)
        if stored is None:
            self._same_address(call, new)
            if not call.dry_run:
                new["metadata"].pop("resourceVersion", None)
            access.require_create(self.store, call)
            return self._create(call, new, entries), True
        self._same_address(call, new)
        self._optimistic(call, stored, new, patch=True)
        call.rewrite = strategies.rewrites(resource, live or {}, merged)
        return self._update(call, stored, new, entries), False


def _suffix() -> str:
    return "".join(random.choices(NAME_ALPHABET, k=5))  # noqa: S311 - a name, not a secret


def same(new: Object, old: Object) -> bool:
    """Equal but for times of managedFields: then nothing is written."""
    if new == old:
        return True
    if {**new, "metadata": None} != {**old, "metadata": None}:
        return False
    a, b = new["metadata"], old["metadata"]
    if {**a, "managedFields": None} != {**b, "managedFields": None}:
        return False
    return _timeless(a.get("managedFields")) == _timeless(b.get("managedFields"))


def _timeless(entries: Any) -> list[Object]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in entries or ()]
