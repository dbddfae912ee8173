"""Services and network policies (k8s-replay 01, 02, 05)."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.network import address_errors
from clusters.sandbox.objectmeta import LABEL_1123, RE_LABEL, quoted
from clusters.sandbox.store import Store

Object = dict[str, Any]
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PORT_RANGE = "must be between 1 and 65535, inclusive"
PORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")


def _unsupported(path: str, value: str, allowed: tuple[str, ...]) -> FieldError:
    listed = ", ".join(quoted(item) for item in allowed)
    return FieldError("Unsupported value", path, f"{quoted(value)}: supported values: {listed}")


def service(new: Object, old: Object | None, store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    if old is not None:
        errors += _address_kept(spec, old["spec"])
        if errors:
            return errors
    kind = spec.get("type", "")
    ports = spec.get("ports") or []
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        errors.append(FieldError("Required value", "spec.ports"))
    if kind == "LoadBalancer" and spec.get("clusterIP") == "None":
        text = "\"None\": may not be set to 'None' for LoadBalancer services"
        errors.append(FieldError("Invalid value", "spec.clusterIPs[0]", text))
    if kind == "ExternalName" and not spec.get("externalName"):
        errors.append(FieldError("Required value", "spec.externalName"))
    errors += _ports(ports)
    if spec.get("sessionAffinity") not in {"None", "ClientIP"}:
        errors.append(_unsupported("spec.sessionAffinity", spec.get("sessionAffinity", ""), ("ClientIP", "None")))
    if kind not in TYPES:
        errors.append(_unsupported("spec.type", kind, TYPES))
    errors += _duplicates(ports)
    return errors or address_errors(new, store)


def _address_kept(spec: Object, before: Object) -> list[FieldError]:
    was, now = before.get("clusterIP"), spec.get("clusterIP")
    if was and now and was != now and "ExternalName" not in {spec.get("type"), before.get("type")}:
        text = f"{orjson.dumps([now]).decode()}: may not change once set"
        return [FieldError("Invalid value", "spec.clusterIPs[0]", text)]
    return []


def _ports(ports: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        path = f"spec.ports[{i}]"
        name = port.get("name", "")
        if not name and len(ports) > 1:
            errors.append(FieldError("Required value", f"{path}.name"))
        elif name:
            if not RE_LABEL.match(name) or len(name) > 63:
                errors.append(FieldError("Invalid value", f"{path}.name", f"{quoted(name)}: {LABEL_1123}"))
            if name in names:
                errors.append(FieldError("Duplicate value", f"{path}.name", quoted(name)))
            names.add(name)
        number = port.get("port") or 0
        if not 1 <= number <= 65535:
            errors.append(FieldError("Invalid value", f"{path}.port", f"{number}: {PORT_RANGE}"))
        protocol = port.get("protocol", "")
        if protocol not in {"SCTP", "TCP", "UDP"}:
            errors.append(_unsupported(f"{path}.protocol", protocol, ("SCTP", "TCP", "UDP")))
        target = port.get("targetPort")
        if isinstance(target, int) and not 1 <= target <= 65535:
            errors.append(FieldError("Invalid value", f"{path}.targetPort", f"{target}: {PORT_RANGE}"))
    return errors


def _duplicates(ports: list[Object]) -> list[FieldError]:
    errors = []
    seen: set[tuple[Any, Any]] = set()
    for i, port in enumerate(ports):
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            # The server prints its internal struct with only the two fields that collide.
            shown = {
                "Name": "",
                "Protocol": key[0],
                "AppProtocol": None,
                "Port": key[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            errors.append(FieldError("Duplicate value", f"spec.ports[{i}]", orjson.dumps(shown).decode()))
        seen.add(key)
    return errors


def network_policy(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    errors: list[FieldError] = []
    for side, peers in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(new["spec"].get(side) or ()):
            path = f"spec.{side}[{i}]"
            for j, port in enumerate(rule.get("ports") or ()):
                errors += _policy_port(f"{path}.ports[{j}]", port)
            for j, peer in enumerate(rule.get(peers) or ()):
                errors += _peer(f"{path}.{peers}[{j}]", peer)
    for i, kind in enumerate(new["spec"].get("policyTypes") or ()):
        if kind not in {"Ingress", "Egress"}:
            errors.append(_unsupported(f"spec.policyTypes[{i}]", kind, ("Ingress", "Egress")))
    return errors


def _policy_port(path: str, port: Object) -> list[FieldError]:
    errors = []
    protocol = port.get("protocol")
    if protocol is not None and protocol not in {"TCP", "UDP", "SCTP"}:
        errors.append(_unsupported(f"{path}.protocol", protocol, ("TCP", "UDP", "SCTP")))
    number = port.get("port")
    if isinstance(number, int) and not 1 <= number <= 65535:
        errors.append(FieldError("Invalid value", f"{path}.port", f"{number}: {PORT_RANGE}"))
    return errors


def _peer(path: str, peer: Object) -> list[FieldError]:
    block = peer.get("ipBlock")
    if not peer.get("podSelector") and not peer.get("namespaceSelector") and block is None:
        if "podSelector" in peer or "namespaceSelector" in peer:
            return []
        return [FieldError("Required value", path, "must specify a peer")]
    if block is None:
        return []
    if set(peer) > {"ipBlock"}:
        return [FieldError("Forbidden", path, "may not specify both ipBlock and another peer")]
    cidr = block.get("cidr", "")
    try:
        ip_network(cidr, strict=False)
    except ValueError:
        why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        return [FieldError("Invalid value", f"{path}.ipBlock.cidr", f"{quoted(cidr)}: {why}")]
    return []
