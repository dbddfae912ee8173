"""Printer columns of built-in kinds that people look at with kubectl get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Age = Callable[[Any], str]
NAME_TEXT = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)


@dataclass(frozen=True)
class Columns:
    """Names (after Name, before Age) and how to fill them."""

    names: tuple[str, ...]
    values: Callable[[Object], list[Any]]

    @property
    def definitions(self) -> list[Object]:
        head = {"name": "Name", "type": "string", "format": "name", "description": NAME_TEXT, "priority": 0}
        rest = [
            {"name": name, "type": "string", "format": "", "description": "", "priority": 0}
            for name in (*self.names, "Age")
        ]
        return [head, *rest]

    def cells(self, obj: Object, age: Age) -> list[Any]:
        meta = obj["metadata"]
        return [meta["name"], *self.values(obj), age(meta.get("creationTimestamp"))]


def _pod(obj: Object) -> list[Any]:
    containers = obj["spec"].get("containers") or []
    statuses = obj.get("status", {}).get("containerStatuses") or []
    ready = sum(bool(status.get("ready")) for status in statuses)
    restarts = sum(int(status.get("restartCount") or 0) for status in statuses)
    phase = obj.get("status", {}).get("phase", "Unknown")
    shown = "Terminating" if obj["metadata"].get("deletionTimestamp") else phase
    return [f"{ready}/{len(containers)}", shown, str(restarts)]


def _service(obj: Object) -> list[Any]:
    spec = obj["spec"]
    ingress = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    external = ",".join(item.get("ip") or item.get("hostname", "") for item in ingress)
    ports = [
        f"{port['port']}:{port['nodePort']}/{port.get('protocol', 'TCP')}"
        if port.get("nodePort")
        else f"{port['port']}/{port.get('protocol', 'TCP')}"
        for port in spec.get("ports") or ()
    ]
    waiting = "<pending>" if spec.get("type") == "LoadBalancer" else "<none>"
    return [spec.get("type", ""), spec.get("clusterIP") or "<none>", external or waiting, ",".join(ports) or "<none>"]


SHORT_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(modes: Any) -> str:
    return ",".join(SHORT_MODES.get(mode, mode) for mode in modes or ())


def _claim(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    bound = status.get("phase") == "Bound"
    return [
        phase,
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        spec.get("storageClassName") or "",
        "<unset>",
    ]


def _count(name: str) -> Callable[[Object], list[Any]]:
    return lambda obj: [len(obj.get(name) or ())]


def _secret(obj: Object) -> list[Any]:
    return [obj.get("type", ""), len(obj.get("data") or ())]


def _namespace(obj: Object) -> list[Any]:
    return [obj.get("status", {}).get("phase", "")]


def _node(obj: Object) -> list[Any]:
    conditions = obj.get("status", {}).get("conditions") or []
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    prefix = "node-role.kubernetes.io/"
    roles = [key[len(prefix) :] for key in obj["metadata"].get("labels") or {} if key.startswith(prefix)]
    version = obj.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", "")
    return ["Ready" if ready else "NotReady", ",".join(sorted(roles)) or "<none>", version]


def _created(obj: Object) -> list[Any]:
    return [obj["metadata"].get("creationTimestamp", "")]


def _role_ref(obj: Object) -> list[Any]:
    ref = obj.get("roleRef") or {}
    return [f"{ref.get('kind')}/{ref.get('name')}"]


BUILTIN_COLUMNS: dict[str, Columns] = {
    "pods": Columns(("Ready", "Status", "Restarts"), _pod),
    "services": Columns(("Type", "Cluster-IP", "External-IP", "Port(s)"), _service),
    "persistentvolumeclaims": Columns(
        ("Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass"), _claim
    ),
    "configmaps": Columns(("Data",), lambda obj: [len(obj.get("data") or ()) + len(obj.get("binaryData") or ())]),
    "secrets": Columns(("Type", "Data"), _secret),
    "namespaces": Columns(("Status",), _namespace),
    "nodes": Columns(("Status", "Roles", "Version"), _node),
    "serviceaccounts": Columns(("Secrets",), _count("secrets")),
    "rolebindings.rbac.authorization.k8s.io": Columns(("Role",), _role_ref),
    "clusterrolebindings.rbac.authorization.k8s.io": Columns(("Role",), _role_ref),
    "roles.rbac.authorization.k8s.io": Columns(("Created At",), _created),
    "storageclasses.storage.k8s.io": Columns(("Provisioner",), lambda obj: [obj.get("provisioner", "")]),
}
