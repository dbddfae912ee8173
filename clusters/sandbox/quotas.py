"""ResourceQuota: admission charges it at once, the controller corrects it later (k8s-replay 05)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clusters.sandbox import quantity, usage
from clusters.sandbox.call import Call
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.errors import forbidden
from clusters.sandbox.store import Change, Stored
from clusters.sandbox.usage import Amount, Usage

Object = dict[str, Any]
UNCOUNTED = {"events", "bindings"}  # kinds that no quota holds, whatever it says
DELAY = 0.1
CONTROLLER = "kube-controller-manager"
SERVER = "kube-apiserver"


class Quotas:
    """Checks creates and updates; keeps `status.hard` and `status.used`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._due: set[str] = set()
        cluster.admission.checks.append(self.check)
        cluster.observe(self._changed)
        cluster.after(DELAY, self._resume)

    def _resume(self) -> None:
        """A restarted cluster counts anew: what went while it was being killed is charged still."""
        for namespace in {stored.meta["namespace"] for stored in self.cluster.store.shelf("resourcequotas").items()}:
            self._recount(namespace)

    # admission

    def check(self, call: Call, obj: Object, old: Object | None) -> Callable[[], None] | None:
        """Raises the 403 of the first quota that is exceeded; answers the charge otherwise."""
        quotas = self._concerned(call, old)
        if not quotas:
            return None
        resource = call.resource
        wanted = usage.of(resource, obj)
        if old is not None:
            before = usage.of(resource, old)
            wanted = {name: value - before.get(name, usage.ZERO) for name, value in wanted.items()}
        charges = []
        for quota in quotas:
            hard = quota.obj["spec"].get("hard") or {}
            if not self._in_scope(quota.obj["spec"], call, obj):
                continue
            counted = {name: value for name, value in wanted.items() if name in hard and value.number != 0}
            if resource.key == "pods" and old is None:
                self._constrained(call, quota, obj, set(hard))
            if counted:
                self._fits(call, quota, hard, counted)
                charges.append((quota.meta["name"], counted))
        if not charges:
            return None
        return lambda: self._charge(call.namespace or "", charges)

    def _concerned(self, call: Call, old: Object | None) -> list[Stored]:
        """The quotas of the namespace, where the write is of a kind they can count."""
        resource = call.resource
        if not resource.namespaced or call.subresource or resource.key in UNCOUNTED:
            return []
        if old is not None and resource.key not in {"pods", "services", "persistentvolumeclaims"}:
            return []
        shelf = self.cluster.store.shelves["resourcequotas"]
        return list(shelf.items(call.namespace)) if shelf.objects else []

    def _in_scope(self, spec: Object, call: Call, obj: Object) -> bool:
        """Scopes concern pods only, as far as the sandbox knows them."""
        selected = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
        wanted: list[tuple[str, str, Sequence[str]]] = [
            *((scope, "Exists", ()) for scope in spec.get("scopes") or ()),
            *((one["scopeName"], one["operator"], one.get("values") or ()) for one in selected),
        ]
        if not wanted:
            return True
        return call.resource.key == "pods" and all(_matches(obj["spec"], *one) for one in wanted)

    def _constrained(self, call: Call, quota: Stored, obj: Object, hard: set[str]) -> None:
        lacking = usage.missing_in_pod(obj, hard)
        if lacking:
            why = f"failed quota: {quota.meta['name']}: must specify {'; '.join(lacking)}"
            raise forbidden(call.resource.plural, call.resource.group, call.name, why)

    def _fits(self, call: Call, quota: Stored, hard: Object, counted: Usage) -> None:
        used = self._used(quota)
        over = []
        for name in sorted(counted):
            present = used.get(name, usage.ZERO)
            if counted[name].number > 0 and present.number + counted[name].number > quantity.parse(hard[name]):
                over.append((name, counted[name], present, usage.amount(hard[name])))
        if not over:
            return
        requested = ",".join(f"{name}={asked}" for name, asked, _, _ in over)
        present_text = ",".join(f"{name}={present}" for name, _, present, _ in over)
        limited = ",".join(f"{name}={limit}" for name, _, _, limit in over)
        why = f"exceeded quota: {quota.meta['name']}, requested: {requested}, used: {present_text}, limited: {limited}"
        raise forbidden(call.resource.plural, call.resource.group, call.name, why)

    def _used(self, quota: Stored) -> Usage:
        """As charged so far; counted afresh where the controller has not been yet."""
        status = quota.obj.get("status") or {}
        if self._held(quota.obj["spec"].get("hard") or {}) <= set(status.get("used") or ()):
            return {name: usage.amount(text) for name, text in (status.get("used") or {}).items()}
        return self._count(quota)

    def _charge(self, namespace: str, charges: list[tuple[str, Usage]]) -> None:
        for name, counted in charges:
            stored = self.cluster.store.get("resourcequotas", f"{namespace}/{name}")
            if stored is None:
                continue
            used = self._used(stored)
            for key, value in counted.items():
                used[key] = used.get(key, usage.ZERO) + value
            obj = stored.copy()
            hard = obj["spec"].get("hard") or {}
            status = {**obj.get("status", {}), "used": {key: str(used[key]) for key in used if key in hard}}
            status.setdefault("hard", hard)
            obj["status"] = status
            self.cluster.controller_write("resourcequotas", obj, manager=SERVER, subresource="status")

    # controller

    def _changed(self, resource: str, change: Change) -> None:
        namespace = change.after.meta.get("namespace")
        if not namespace:
            return
        if resource == "resourcequotas":
            if change.kind == "DELETED" or (
                change.before is not None and change.before.obj.get("spec") == change.after.obj.get("spec")
            ):
                return
        elif change.kind != "DELETED" and not self._ended(resource, change):
            return
        if namespace not in self._due and any(self.cluster.store.shelves["resourcequotas"].items(namespace)):
            self._due.add(namespace)
            self.cluster.after(DELAY, lambda: self._recount(namespace))

    def _ended(self, resource: str, change: Change) -> bool:
        return resource == "pods" and usage.pod_ended(change.after.obj)

    def _recount(self, namespace: str) -> None:
        self._due.discard(namespace)
        for stored in list(self.cluster.store.shelves["resourcequotas"].items(namespace)):
            counted = self._count(stored)
            obj = stored.copy()
            hard = obj["spec"].get("hard") or {}
            used = {name: str(counted[name]) for name in hard if name in counted}
            obj["status"] = {"hard": hard, "used": used} if used else {"hard": hard}
            if not hard:
                obj["status"] = {}
            self.cluster.controller_write("resourcequotas", obj, manager=CONTROLLER, subresource="status")

    def _count(self, quota: Stored) -> Usage:
        """Everything in the namespace that the quota names."""
        hard = set(quota.obj["spec"].get("hard") or {})
        namespace = quota.meta["namespace"]
        out: Usage = {name: Amount(usage.ZERO.number) for name in self._held(hard)}
        for key in self._counted_resources(hard):
            resource = self.cluster.registry.by_key.get(key)
            if resource is None:
                continue
            for stored in self.cluster.store.shelf(key).items(namespace):
                call = Call(resource, namespace, stored.meta["name"])
                if not self._in_scope(quota.obj["spec"], call, stored.obj):
                    continue
                for name, value in usage.of(resource, stored.obj).items():
                    if name in out:
                        out[name] = out[name] + value
        return out

    def _held(self, hard: Iterable[str]) -> set[str]:
        """The names of a quota under which anything is ever counted."""
        known = self.cluster.registry.by_key
        return {
            name
            for name in hard
            if _is_held(name) and (not name.startswith("count/") or name.removeprefix("count/") in known)
        }

    def _counted_resources(self, hard: set[str]) -> set[str]:
        out = set()
        for name in hard:
            if name.startswith("count/"):
                out.add(name.removeprefix("count/"))
            elif name.startswith("services"):
                out.add("services")
            elif name.endswith(("requests.storage", "persistentvolumeclaims")):
                out.add("persistentvolumeclaims")
            elif name in usage.OLD_COUNTS:
                out.add(name)
            else:
                out.add("pods")
        return out


def _is_held(name: str) -> bool:
    """Whether anything is ever counted under a name of a quota."""
    if name.startswith("count/"):
        return name.removeprefix("count/") not in UNCOUNTED
    return "/" not in name or name.startswith("requests.") or usage.CLASS_SUFFIX in name


def _matches(pod: Object, scope: str, operator: str, values: Sequence[str]) -> bool:
    """Whether a pod is what a scope speaks of."""
    if scope == "PriorityClass":
        name = pod.get("priorityClassName") or ""
        return {"Exists": bool(name), "DoesNotExist": not name, "In": name in values}.get(operator, name not in values)
    ending = pod.get("activeDeadlineSeconds") is not None
    best = not any(
        (container.get("resources") or {}).get(side)
        for container in pod.get("containers") or ()
        for side in ("requests", "limits")
    )
    truth = {"Terminating": ending, "NotTerminating": not ending, "BestEffort": best, "NotBestEffort": not best}
    return truth.get(scope, True)
