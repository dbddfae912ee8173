"""Printer columns of built-in kinds that people look at with kubectl get."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from clusters.sandbox import columns_more
from clusters.sandbox.field_docs import description

Object = dict[str, Any]
Age = Callable[[Any], str]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SHORT_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
NONE, UNSET = columns_more.NONE, "<unset>"


@cache
def _texts() -> dict[str, list[Object]]:
    text = (Path(__file__).parent / "columns.yaml").read_text()
    found: dict[str, list[Object]] = yaml.load(text, Loader=LOADER)  # noqa: S506 - the C twin of SafeLoader
    return found


@cache
def name_column() -> Object:
    return {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": description("V1ObjectMeta.name"),
        "priority": 0,
    }


@cache
def definitions(key: str) -> list[Object]:
    """The columns of a kind; without columns of its own: its name and when it was made."""
    listed = _texts().get(key)
    if listed is None:
        return [
            name_column(),
            {"name": "Created At", "type": "date", "format": "", "description": created(), "priority": 0},
        ]
    described = [_definition(column) for column in listed]
    return described if any(column["name"] == "Name" for column in listed) else [name_column(), *described]


def created() -> str:
    """The client has two spaces where the server has an empty line."""
    return description("V1ObjectMeta.creation_timestamp").replace("  Populated", "\n\nPopulated")


def _definition(column: Object) -> Object:
    text = (
        column["text"] if "text" in column else created() if column["name"] == "Age" else description(column["field"])
    )
    kind, priority = column.get("type", "string"), column.get("priority", 0)
    form = column.get("format", "")
    return {"name": column["name"], "type": kind, "format": form, "description": text, "priority": priority}


def cells(key: str, obj: Object, age: Age) -> list[Any]:
    meta = obj["metadata"]
    created = meta.get("creationTimestamp")
    if key == "events":
        return columns_more.event(obj, age)
    if key == "podtemplates":
        return [meta["name"], *columns_more.pod_template(obj)]
    fill: Callable[..., list[Any]] | None = VALUES.get(key) or columns_more.VALUES.get(key)
    if fill is None:
        return [meta["name"], created]
    values = fill(obj, age) if key in columns_more.AGED else fill(obj)
    place = next(i for i, column in enumerate(_texts()[key]) if column["name"] == "Age")
    return [_named(key, obj), *values[:place], age(created), *values[place:]]


def _named(key: str, obj: Object) -> str:
    meta = obj["metadata"]
    mark = DEFAULTED.get(key.partition(".")[0], "")
    default = mark and (meta.get("annotations") or {}).get(mark) == "true"
    return f"{meta['name']} (default)" if default else str(meta["name"])


DEFAULTED = {
    "storageclasses": "storageclass.kubernetes.io/is-default-class",
    "ingressclasses": "ingressclass.kubernetes.io/is-default-class",
}


def _pod(obj: Object) -> list[Any]:
    containers, status = obj["spec"].get("containers") or [], obj.get("status") or {}
    statuses = status.get("containerStatuses") or []
    ready = sum(bool(one.get("ready")) for one in statuses)
    restarts = sum(int(one.get("restartCount") or 0) for one in statuses)
    shown = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "Unknown")
    placed = [status.get("podIP"), obj["spec"].get("nodeName"), status.get("nominatedNodeName"), None]
    return [f"{ready}/{len(containers)}", shown, str(restarts), *(value or NONE for value in placed)]


def _service(obj: Object) -> list[Any]:
    spec = obj["spec"]
    ports = [
        f"{port['port']}:{port['nodePort']}/{port.get('protocol', 'TCP')}"
        if port.get("nodePort")
        else f"{port['port']}/{port.get('protocol', 'TCP')}"
        for port in spec.get("ports") or ()
    ]
    address = (spec.get("clusterIPs") or [NONE])[0]
    return [
        spec.get("type", ""),
        address,
        _outside(obj),
        ",".join(ports) or NONE,
        columns_more.listed(spec.get("selector")),
    ]


def _outside(obj: Object) -> str:
    """Where a service is reached from outside."""
    spec = obj["spec"]
    kind, asked = spec.get("type"), spec.get("externalIPs") or []
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind != "LoadBalancer":
        return ",".join(asked) or NONE
    points = (obj.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
    return (
        ",".join([*sorted({point.get("ip") or point.get("hostname", "") for point in points}), *asked]) or "<pending>"
    )


def _modes(modes: Any) -> str:
    present = set(modes or ())
    return ",".join(short for mode, short in SHORT_MODES.items() if mode in present)


def _claim(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    bound = bool(spec.get("volumeName"))
    beta = (obj["metadata"].get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    return [
        "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", ""),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "0") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        beta or spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or UNSET,
        spec.get("volumeMode") or UNSET,
    ]


def _volume(obj: Object) -> list[Any]:
    spec, status, claim = obj["spec"], obj.get("status") or {}, obj["spec"].get("claimRef")
    return [
        (spec.get("capacity") or {}).get("storage", "0"),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", ""),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        status.get("reason", ""),
        spec.get("volumeMode") or UNSET,
    ]


def _quota(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    lines = {name: f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard)}
    limits = [line for name, line in lines.items() if name.startswith("limits.")]
    return [", ".join(line for line in lines.values() if line not in limits), ", ".join(limits)]


def _node(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    told = [c.get("status") for c in status.get("conditions") or [] if c.get("type") == "Ready"]
    prefix = "node-role.kubernetes.io/"
    roles = [key[len(prefix) :] for key in obj["metadata"].get("labels") or {} if key.startswith(prefix)]
    info, addresses = status.get("nodeInfo") or {}, status.get("addresses") or []
    inside, outside = (
        next((one["address"] for one in addresses if one["type"] == kind), NONE)
        for kind in ("InternalIP", "ExternalIP")
    )
    shown = ("Ready" if told[0] == "True" else "NotReady") if told else "Unknown"
    if obj["spec"].get("unschedulable"):
        shown += ",SchedulingDisabled"
    known = [info.get(name) or "<unknown>" for name in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    if info.get("architecture"):
        known[1] += f" ({info['architecture']})"
    return [shown, ",".join(sorted(roles)) or NONE, info.get("kubeletVersion", ""), inside, outside, *known]


def _binding(obj: Object) -> list[Any]:
    ref, subjects = obj.get("roleRef") or {}, obj.get("subjects") or []
    named = {kind: ", ".join(one["name"] for one in subjects if one["kind"] == kind) for kind in ("User", "Group")}
    accounts = [f"{one.get('namespace', '')}/{one['name']}" for one in subjects if one["kind"] == "ServiceAccount"]
    return [f"{ref.get('kind')}/{ref.get('name')}", named["User"], named["Group"], ", ".join(accounts)]


def _storage_class(obj: Object) -> list[Any]:
    names = ("provisioner", "reclaimPolicy", "volumeBindingMode")
    return [*(obj.get(name, "") for name in names), bool(obj.get("allowVolumeExpansion"))]


def _priority_class(obj: Object) -> list[Any]:
    return [obj.get("value", 0), bool(obj.get("globalDefault")), obj.get("preemptionPolicy", "")]


VALUES: dict[str, Callable[[Object], list[Any]]] = {  # what stands in the columns besides Name and Age
    "pods": _pod,
    "services": _service,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "configmaps": lambda obj: [len(obj.get("data") or ()) + len(obj.get("binaryData") or ())],
    "secrets": lambda obj: [obj.get("type", ""), len(obj.get("data") or ())],
    "namespaces": lambda obj: [(obj.get("status") or {}).get("phase", "")],
    "nodes": _node,
    "resourcequotas": _quota,
    "serviceaccounts": lambda _obj: [],
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
    "networkpolicies.networking.k8s.io": lambda obj: [columns_more.selected(obj["spec"].get("podSelector"))],
    "storageclasses.storage.k8s.io": _storage_class,
    "leases.coordination.k8s.io": lambda obj: [(obj.get("spec") or {}).get("holderIdentity", "")],
    "priorityclasses.scheduling.k8s.io": _priority_class,
}
