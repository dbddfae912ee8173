"""Delete: preconditions, finalizers, propagation (k8s-transcript 07, k8s-replay 03)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from clusters.sandbox import errors
from clusters.sandbox.call import Call, now, parse_int, truth
from clusters.sandbox.decode import DecodeError, Decoder
from clusters.sandbox.errors import FieldError
from clusters.sandbox.kinds import LIBRARY
from clusters.sandbox.store import Store, Stored

Object = dict[str, Any]
SCHEME = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"
POLICIES = ("Foreground", "Background", "Orphan")
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
ORPHANING = {"jobs.batch"}  # kinds that let go of their dependents unless told otherwise
ORPHANED = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
    "set propagationPolicy=Orphan to suppress this warning"
)
UNDELETABLE = {"default", "kube-system", "kube-public"}


@dataclass
class DeleteOptions:
    """Body and query of a DELETE, checked."""

    uid: str = ""
    version: str = ""
    propagation: str = ""
    grace: int | None = None
    cascade: bool = False  # asked for in the old way, by orphanDependents


def decoded(body: Object) -> Object:
    """The options of a body, as Go reads them; kinds of groups may call them their own."""
    kind = body.get("kind") or "DeleteOptions"
    if kind != "DeleteOptions":
        shown = f'no kind "{kind}" is registered for version "{body.get("apiVersion", "")}" in scheme "{SCHEME}"'
        raise errors.bad_request(shown)
    try:
        return Decoder().document(LIBRARY.struct("DeleteOptions"), body, "DeleteOptions")
    except DecodeError as problem:
        raise errors.bad_request(str(problem)) from problem


def asked(query: dict[str, str]) -> Object:
    """The options of a query."""
    out: Object = {name: query[name] for name in ("propagationPolicy",) if query.get(name)}
    if query.get("gracePeriodSeconds"):
        out["gracePeriodSeconds"] = parse_int(query["gracePeriodSeconds"])
    if "orphanDependents" in query:
        out["orphanDependents"] = truth(query, "orphanDependents")
    if "dryRun" in query:
        out["dryRun"] = [query["dryRun"]]
    return out


def options(body: Object) -> DeleteOptions:
    policy, orphan, dry = body.get("propagationPolicy"), body.get("orphanDependents"), body.get("dryRun") or []
    found: list[FieldError] = []
    if orphan is not None and policy is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        found.append(FieldError("Invalid value", "propagationPolicy", f'"{policy}": {text}'))
    if policy is not None and policy not in POLICIES:
        text = f'"{policy}": supported values: "Foreground", "Background", "Orphan", "nil"'
        found.append(FieldError("Unsupported value", "propagationPolicy", text))
    if any(value != "All" for value in dry):
        text = f'{orjson.dumps(dry).decode()}: supported values: "All"'
        found.append(FieldError("Unsupported value", "dryRun", text))
    if found:
        raise errors.invalid("DeleteOptions", "meta.k8s.io", "", found)
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds")
    return DeleteOptions(
        preconditions.get("uid") or "",
        preconditions.get("resourceVersion") or "",
        policy or "",
        1 if grace is not None and grace < 0 else grace,
        orphan is False,
    )


def _terminating(obj: Object, finalizers: list[str], grace: int | None) -> Object:
    """The object with its deletion begun; `grace` is None for a namespace, which has a phase instead."""
    meta: Object = {**obj["metadata"], "deletionTimestamp": now()}
    if finalizers:
        meta["finalizers"] = finalizers
    if "generation" in meta:
        meta["generation"] += 1
    if grace is None:
        return {**obj, "metadata": meta, "status": {**obj.get("status", {}), "phase": "Terminating"}}
    meta["deletionGracePeriodSeconds"] = grace
    return {**obj, "metadata": meta}


class Deleter:
    """Deletes objects or starts their termination."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.checks: dict[str, Callable[[Call, Object], None]] = {}
        self.marks: dict[str, Callable[[Object], Object]] = {}  # kinds whose end begins in a way of their own

    def delete(self, call: Call, wish: DeleteOptions) -> tuple[Stored, bool]:
        """Answers the object and whether it is gone for good."""
        resource = call.resource
        old = self.store.get(resource.key, call.key)
        if old is None:
            raise errors.not_found(resource.plural, resource.group, call.name)
        if resource.key == "namespaces" and call.name in UNDELETABLE:
            raise errors.forbidden("namespaces", "", call.name, "this namespace may not be deleted")
        self._preconditions(call, old, wish)
        check = self.checks.get(resource.key)
        if check is not None:
            check(call, old.obj)
        if old.meta.get("deletionTimestamp"):
            return self._again(call, old, wish)
        mark = self.marks.get(resource.key)
        if mark is not None:
            return self._write(call, mark(old.obj)), False
        policy = wish.propagation
        if not policy and resource.key in ORPHANING:
            policy = "Orphan"
            call.warnings.append(ORPHANED)
        finalizers = self._finalizers(old.meta.get("finalizers") or [], policy)
        grace = self._grace(call, old.obj, wish)
        namespace = resource.key == "namespaces"
        if not finalizers and not grace and not namespace:
            last = old if call.dry_run else self.store.remove(resource.key, call.key)
            if resource.key == "pods":  # which end gracefully, be it in no time
                shown = _terminating(last.obj, finalizers, 0)
                return Stored(shown, orjson.dumps(shown), last.version), True
            return last, True
        return self._write(call, _terminating(old.obj, finalizers, None if namespace else grace)), False

    def _write(self, call: Call, obj: Object) -> Stored:
        if call.dry_run:
            return Stored(obj, orjson.dumps(obj), 0)
        return self.store.put(call.resource.key, call.key, obj)

    def _grace(self, call: Call, obj: Object, wish: DeleteOptions) -> int:
        """Only a pod on a node ends gracefully."""
        if call.resource.key != "pods" or not obj["spec"].get("nodeName"):
            return 0
        if obj.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
            return 0
        if wish.grace is not None:
            return wish.grace
        return int(obj["spec"].get("terminationGracePeriodSeconds") or 0)

    def _again(self, call: Call, old: Stored, wish: DeleteOptions) -> tuple[Stored, bool]:
        """A second DELETE: may add a propagation finalizer, or end a pod's grace period."""
        if call.resource.key == "pods" and wish.grace == 0 and not old.meta.get("finalizers"):
            return (old if call.dry_run else self.store.remove(call.resource.key, call.key)), True
        finalizers = self._finalizers(old.meta.get("finalizers") or [], wish.propagation)
        if finalizers == (old.meta.get("finalizers") or []):
            return old, False
        return self._write(call, {**old.obj, "metadata": {**old.meta, "finalizers": finalizers}}), False

    def _finalizers(self, present: list[str], policy: str) -> list[str]:
        if not policy:
            return present
        wanted = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(policy)
        kept = [finalizer for finalizer in present if finalizer not in {FOREGROUND, ORPHAN} or finalizer == wanted]
        if wanted and wanted not in kept:
            kept.append(wanted)
        return kept

    def _preconditions(self, call: Call, old: Stored, wish: DeleteOptions) -> None:
        resource = call.resource
        uid, version = old.meta["uid"], old.meta["resourceVersion"]
        if wish.uid and wish.uid != uid:
            name, wanted, found, rest = "UID", wish.uid, uid, "deleted and then recreated"
        elif wish.version and wish.version != version:
            name, wanted, found, rest = "ResourceVersion", wish.version, version, "modified"
        else:
            return
        if resource.key in self.marks or resource.key == "namespaces":
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {found}"
            raise errors.conflict(resource.plural, resource.group, call.name, why)
        why = (
            f"the {name} in the precondition ({wanted}) does not match the {name} in record ({found}). "
            f"The object might have been {rest}"
        )
        raise errors.conflict(resource.kind, resource.group, call.name, why)
