"""Objects that are not OVIM's: copies of its labels and marks, names that it will want. They are to be left alone."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from clusters.refs import KINDS, Manifest, Ref, manifest, ref_of
from tests.chaos.kubectl import Kubectl

COPIED = {
    "app.kubernetes.io/managed-by": "ovim",
    "app.kubernetes.io/part-of": "ovim",
    "ovim.io/organization": "00000000-0000-7000-8000-000000000000",
    "ovim.io/vdc": "00000000-0000-7000-8000-000000000001",
    "ovim.io/vm": "00000000-0000-7000-8000-000000000002",
}

SETTLE_SECONDS = 30
LOOK_SECONDS = 0.1
STILL_LOOKS = 5
# Whose controllers write to them by themselves, and what is there once they have.
ATTENDED = {"ResourceQuota": "used", "VirtualMachine": "printableStatus", "Namespace": "phase"}


class Strangers:
    """Plants them, and tells afterwards which are not as they were."""

    def __init__(self, kubectl: Kubectl, installation: str) -> None:
        self.kubectl = kubectl
        self.labels = COPIED | {"ovim.io/installation": installation}
        self.planted: dict[Ref, bytes] = {}

    def plant_world(self, name: str) -> None:
        """A namespace of its own, with one of everything that OVIM makes."""
        self._make(manifest("v1", "Namespace", name, labels=self.labels))
        for body in (
            *self._small(name, "v00-cloud-init"),
            self._machine(name, "v00"),
            manifest("v1", "ResourceQuota", "ovim-quota", namespace=name, labels=self.labels, spec={"hard": {"pods": "9"}}),
            manifest(
                "networking.k8s.io/v1", "NetworkPolicy", "ovim-network", namespace=name, labels=self.labels,
                spec={"podSelector": {}, "policyTypes": ["Ingress"]},
            ),
        ):  # fmt: skip
            self._make(body)

    def plant_in(self, namespace: str, vm: str, other: str) -> None:
        """In a VDC's namespace: what two of its VMs will want to be called."""
        self._make(self._machine(namespace, vm))
        for body in self._small(namespace, f"{other}-cloud-init"):
            self._make(body)

    def take_name(self, name: str) -> None:
        """A namespace as a VDC's would be named."""
        self._make(manifest("v1", "Namespace", name, labels=self.labels))

    def remember(self) -> None:
        """As they are once the cluster's own controllers are done with them."""
        end, still = time.monotonic() + SETTLE_SECONDS, 0
        while still < STILL_LOOKS:
            assert time.monotonic() < end, "strangers' objects did not come to rest"
            time.sleep(LOOK_SECONDS)
            now = {ref: self._look(ref) for ref in self.planted}
            at_rest = now == self.planted and all(_is_attended(ref, look) for ref, look in now.items())
            still = still + 1 if at_rest else 0
            self.planted = now

    def changed(self, *, without: Sequence[str] = ()) -> list[str]:
        """Differences, byte for byte. `without`: namespaces that somebody else has deleted."""
        found = []
        for ref, before in self.planted.items():
            if ref.namespace in without or (ref.kind == "Namespace" and ref.name in without):
                continue
            now = self._look(ref)
            if now != before:
                found.append(f"{ref} is not OVIM's and {'is gone' if not now else 'was changed'}")
        return found

    def names_in(self, namespace: str) -> list[Ref]:
        return [ref for ref in self.planted if ref.namespace == namespace]

    def _small(self, namespace: str, secret: str) -> list[Manifest]:
        marks = {"ovim.io/claim": "11111111-1111-4111-8111-111111111111", "ovim.io/applied": "0" * 64}
        common: Mapping[str, Any] = {"namespace": namespace, "labels": self.labels, "annotations": marks}
        return [
            manifest("v1", "ConfigMap", "theirs", data={"theirs": "yes"}, **common),
            manifest("v1", "Secret", secret, type="Opaque", data={"userdata": "dGhlaXJz"}, **common),
        ]

    def _machine(self, namespace: str, name: str) -> Manifest:
        domain = {"devices": {}, "memory": {"guest": "64Mi"}}
        spec = {"runStrategy": "Halted", "template": {"spec": {"domain": domain}}}
        return manifest("kubevirt.io/v1", "VirtualMachine", name, namespace=namespace, labels=self.labels, spec=spec)

    def _make(self, body: Manifest) -> None:
        ref = ref_of(body)
        self.kubectl.make(body, KINDS[ref.group, ref.kind].path(ref.namespace))
        self.planted[ref] = b""

    def _look(self, ref: Ref) -> bytes:
        live = self.kubectl.get(ref)
        return orjson.dumps(live, option=orjson.OPT_SORT_KEYS) if live else b""


def _is_attended(ref: Ref, look: bytes) -> bool:
    """It is there, and its controller, where it has one, has come to it."""
    if not look:
        return False
    return ref.kind not in ATTENDED or ATTENDED[ref.kind] in (orjson.loads(look).get("status") or {})
