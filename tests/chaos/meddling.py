"""Somebody with kubectl edits and deletes what is OVIM's, behind its back."""

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from clusters.refs import KINDS, RBAC, Ref
from tests.chaos.kubectl import Kubectl, Object
from tests.chaos.plan import Event

MACHINES = KINDS["kubevirt.io", "VirtualMachine"]
STRATEGIES = ("Always", "Halted", "Always", "Halted", "Manual")
OURS = {"app.kubernetes.io/managed-by": None, "ovim.io/vm": None, "ovim.io/vdc": None}
MARKS = {"ovim.io/claim": None, "ovim.io/applied": None}


@dataclass(frozen=True)
class Deed:
    """What was done to which object. Whether a fault swallowed it is not known in all cases."""

    what: str
    ref: Ref


class Meddler:
    """Chooses among what is there when he comes.

    `prefix`: of the names of all namespaces that he may touch. `spared`: what is not OVIM's, so that nobody but OVIM could
    have touched it; read when he comes, since it is planted later.
    """

    def __init__(self, kubectl: Kubectl, prefix: str, spared: Container[Ref] = ()) -> None:
        self.kubectl, self.prefix, self.spared = kubectl, prefix, spared
        self.deeds: list[Deed] = []
        self.done: Counter[str] = Counter()

    def did(self, ref: Ref, *whats: str) -> bool:
        return any(deed.ref == ref and (not whats or deed.what in whats) for deed in self.deeds)

    def emptied(self, namespace: str) -> bool:
        """He deleted the whole namespace at some time."""
        return any(deed.what == "delete_namespace" and deed.ref.name == namespace for deed in self.deeds)

    def do(self, event: Event) -> None:
        found = TARGETS[event.what](self, event)
        if found is None or found in self.spared:
            return
        self.deeds.append(Deed(event.what, found))  # first: without an answer it may have happened all the same
        if DEEDS[event.what](self, found, event):
            self.done[event.what] += 1

    # --- whom it hits ------------------------------------------------------------------------------------------------

    def _listed(self, path: str) -> list[Object]:
        status, page = self.kubectl.ask("GET", path)
        items = page["items"] if status == 200 else []
        return [
            item
            for item in items
            if item["metadata"].get("namespace", item["metadata"]["name"]).startswith(self.prefix)
        ]

    def machine(self, event: Event) -> Ref | None:
        found = [item for item in self._listed(MACHINES.path("")) if _is_ovims(item)]
        if not found:
            return None
        meta = found[int(event.dice * len(found))]["metadata"]
        return Ref(MACHINES.group, MACHINES.kind, meta["namespace"], meta["name"])

    def namespace(self, event: Event) -> str:
        """Of a VDC: they have a network policy."""
        found = sorted(
            {item["metadata"]["namespace"] for item in self._listed("/apis/networking.k8s.io/v1/networkpolicies")}
        )
        return str(found[int(event.dice * len(found))]) if found else ""


def _is_ovims(item: Object) -> bool:
    """By the entry of OVIM's apply: strangers copy the labels."""
    return any(entry["manager"] == "ovim" for entry in item["metadata"].get("managedFields", ()))


def _beside(group: str, kind: str, tail: str = "") -> Callable[[Meddler, Event], Ref | None]:
    """What belongs to a VM and is named after it."""

    def find(meddler: Meddler, event: Event) -> Ref | None:
        machine = meddler.machine(event)
        return Ref(group, kind, machine.namespace, f"{machine.name}{tail}") if machine else None

    return find


def _guard(group: str, kind: str, *names: str) -> Callable[[Meddler, Event], Ref | None]:
    def find(meddler: Meddler, event: Event) -> Ref | None:
        namespace = meddler.namespace(event)
        return Ref(group, kind, namespace, names[int(event.dice * 100) % len(names)]) if namespace else None

    return find


def _mirror(meddler: Meddler, event: Event) -> Ref | None:
    found = meddler._listed("/apis/ovim.io/v1/virtualdatacenters")
    if not found:
        return None
    meta = found[int(event.dice * len(found))]["metadata"]
    return Ref("ovim.io", "VirtualDataCenter", meta["namespace"], meta["name"])


def _space(meddler: Meddler, event: Event) -> Ref | None:
    namespace = meddler.namespace(event)
    return Ref("", "Namespace", "", namespace) if namespace else None


def _pod(meddler: Meddler, event: Event) -> Ref | None:
    found = [item for item in meddler._listed("/api/v1/pods") if item["metadata"]["name"].startswith("virt-launcher")]
    if not found:
        return None
    meta = found[int(event.dice * len(found))]["metadata"]
    return Ref("", "Pod", meta["namespace"], meta["name"])


Target = Callable[[Meddler, Event], Ref | None]
TARGETS: Mapping[str, Target] = {
    "strip_labels": Meddler.machine,
    "strip_marks": Meddler.machine,
    "run_strategy": Meddler.machine,
    "change_size": Meddler.machine,
    "delete_machine": Meddler.machine,
    "delete_instance": _beside("kubevirt.io", "VirtualMachineInstance"),
    "delete_pod": _pod,
    "delete_disk": _beside("cdi.kubevirt.io", "DataVolume", "-disk-0"),
    "delete_claim": _beside("", "PersistentVolumeClaim", "-disk-0"),
    "delete_secret": _beside("", "Secret", "-cloud-init"),
    "delete_quota": _guard("", "ResourceQuota", "ovim-quota"),
    "widen_quota": _guard("", "ResourceQuota", "ovim-quota"),
    "delete_policy": _guard("networking.k8s.io", "NetworkPolicy", "ovim-network", "ovim-imports"),
    "open_policy": _guard("networking.k8s.io", "NetworkPolicy", "ovim-network"),
    "delete_role_binding": _guard(RBAC, "RoleBinding", "ovim-org-admin", "ovim-vdc-admin", "ovim-user"),
    "delete_mirror": _mirror,
    "delete_namespace": _space,
}


def _remove(meddler: Meddler, ref: Ref, _event: Event) -> bool:
    return meddler.kubectl.delete(ref)


def _edit(patch: Callable[[Event], Mapping[str, Any]]) -> Callable[[Meddler, Ref, Event], bool]:
    return lambda meddler, ref, event: meddler.kubectl.merge(ref, patch(event))


DEEDS: Mapping[str, Callable[[Meddler, Ref, Event], bool]] = {
    **{name: _remove for name in TARGETS if name.startswith("delete_")},
    "strip_labels": _edit(lambda _: {"metadata": {"labels": OURS}}),
    "strip_marks": _edit(lambda _: {"metadata": {"annotations": MARKS}}),
    "run_strategy": _edit(lambda event: {"spec": {"runStrategy": STRATEGIES[int(event.dice * 100) % 5]}}),
    "change_size": _edit(
        lambda event: {"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 1 + int(event.dice * 100) % 6}}}}}}
    ),
    "widen_quota": _edit(lambda _: {"spec": {"hard": {"requests.cpu": "4096"}}}),
    "open_policy": _edit(lambda _: {"spec": {"ingress": [{}]}}),
}
