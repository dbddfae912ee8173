"""Services (k8s-replay 01, 02, 05)."""

from __future__ import annotations

import re
from typing import Any

import orjson

from clusters.sandbox import network
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import key_problems, label_problems, labels_errors, quoted, subdomain_problems
from clusters.sandbox.rules_addresses import address_errors, address_fields, cidr_errors, special_errors, unsupported
from clusters.sandbox.store import Store

Object = dict[str, Any]
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
TRAFFIC = ("Cluster", "Local")
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
PORT_RANGE = "must be between 1 and 65535, inclusive"
LONGEST_STICKING = 86400  # seconds of session affinity
ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"


def invalid(path: str, value: str, why: str) -> FieldError:
    return FieldError("Invalid value", path, f"{quoted(value)}: {why}")


def service(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    ports = spec.get("ports") or []
    errors = [] if old is None else _kept(spec, old["spec"])
    errors += _by_type(spec, ports)
    names: set[str] = set()
    for i, port in enumerate(ports):
        errors += _port(f"spec.ports[{i}]", port, names, named=len(ports) > 1)
    errors += labels_errors(spec.get("selector") or {}, "spec.selector")
    errors += _sticking(spec)
    errors += address_fields(spec)
    for i, address in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{i}]"
        errors += address_errors(path, address) or special_errors(path, address)
    kind = spec.get("type", "")
    if kind not in TYPES:
        errors.append(unsupported("spec.type", kind, TYPES))
    errors += _node_ports(kind, ports) + _duplicates(ports)
    return errors + _balanced(spec) + _traffic(spec)


def _kept(spec: Object, before: Object) -> list[FieldError]:
    """What of a service stays as it was first."""
    errors: list[FieldError] = []
    if network.wants_address(spec) and network.wants_address(before):
        errors += _address_kept(spec, before)
    both_balanced = spec.get("type") == before.get("type") == "LoadBalancer"
    if both_balanced and spec.get("loadBalancerClass") != before.get("loadBalancerClass"):
        shown = orjson.dumps(spec.get("loadBalancerClass")).decode()
        errors.append(FieldError("Invalid value", "spec.loadBalancerClass", f"{shown}: may not change once set"))
    checked = network.wants_health_port(spec) and network.wants_health_port(before)
    if checked and spec.get("healthCheckNodePort") != before.get("healthCheckNodePort"):
        errors.append(FieldError("Forbidden", "spec.healthCheckNodePort", "field is immutable"))
    return errors


def _address_kept(spec: Object, before: Object) -> list[FieldError]:
    if network.headless(spec) and network.headless(before):
        return []
    was, now = before.get("clusterIPs") or [], spec.get("clusterIPs") or []
    shown = orjson.dumps(now).decode()
    errors = []
    if was and not now:
        errors.append(FieldError("Invalid value", "spec.clusterIPs[0]", f"{shown}: primary clusterIP can not be unset"))
    elif was and was[0] != now[0]:
        errors.append(FieldError("Invalid value", "spec.clusterIPs[0]", f"{shown}: may not change once set"))
    return errors


def _by_type(spec: Object, ports: list[Object]) -> list[FieldError]:
    kind = spec.get("type", "")
    errors: list[FieldError] = []
    if not ports and kind != "ExternalName" and not network.headless(spec):
        errors.append(FieldError("Required value", "spec.ports"))
    if kind in {"LoadBalancer", "NodePort"} and network.headless(spec):
        errors.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind != "ExternalName":
        return errors
    text = "may not be set for ExternalName services"
    given = [name for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy") if spec.get(name)]
    errors += [FieldError("Forbidden", f"spec.{name}", text) for name in given]
    host = spec.get("externalName", "").removesuffix(".")
    if not host:
        return [*errors, FieldError("Required value", "spec.externalName")]
    return errors + [invalid("spec.externalName", host, why) for why in subdomain_problems(host)]


def _port(path: str, port: Object, names: set[str], *, named: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    name = port.get("name", "")
    if not name and named:
        errors.append(FieldError("Required value", f"{path}.name"))
    elif name:
        errors += [invalid(f"{path}.name", name, why) for why in label_problems(name)]
        if name in names:
            errors.append(FieldError("Duplicate value", f"{path}.name", quoted(name)))
        names.add(name)
    number = port.get("port") or 0
    if not 1 <= number <= 65535:
        errors.append(FieldError("Invalid value", f"{path}.port", f"{number}: {PORT_RANGE}"))
    if port.get("protocol", "") not in PROTOCOLS:
        errors.append(unsupported(f"{path}.protocol", port.get("protocol", ""), PROTOCOLS))
    errors += port_errors(f"{path}.targetPort", port.get("targetPort"))
    if "appProtocol" in port:
        value = port["appProtocol"]
        errors += [invalid(f"{path}.appProtocol", value, why) for why in key_problems(value)]
    return errors


def port_errors(path: str, value: Any) -> list[FieldError]:
    """A port by number or by name."""
    if isinstance(value, str):
        return [invalid(path, value, why) for why in port_name_problems(value)]
    if isinstance(value, int) and not 1 <= value <= 65535:
        return [FieldError("Invalid value", path, f"{value}: {PORT_RANGE}")]
    return []


def port_name_problems(name: str) -> list[str]:
    reasons = (
        (len(name) > 15, "must be no more than 15 characters"),
        (
            not re.fullmatch(r"[-a-z0-9]+", name),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (not re.search(r"[a-z]", name), "must contain at least one letter (a-z)"),
        ("--" in name, "must not contain consecutive hyphens"),
        (name.startswith("-") or name.endswith("-"), "must not begin or end with a hyphen"),
    )
    return [why for holds, why in reasons if holds]


def _sticking(spec: Object) -> list[FieldError]:
    affinity = spec.get("sessionAffinity", "")
    if affinity not in {"None", "ClientIP"}:
        return [unsupported("spec.sessionAffinity", affinity, ("ClientIP", "None"))]
    if affinity == "None":
        return []
    seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    if 0 < seconds <= LONGEST_STICKING:
        return []
    text = f"{seconds}: must be greater than 0 and less than {LONGEST_STICKING}"
    return [FieldError("Invalid value", "spec.sessionAffinityConfig.clientIP.timeoutSeconds", text)]


def _node_ports(kind: str, ports: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    if kind == "ClusterIP":
        text = "may not be used when `type` is 'ClusterIP'"
        errors += [
            FieldError("Forbidden", f"spec.ports[{i}].nodePort", text)
            for i, port in enumerate(ports)
            if port.get("nodePort")
        ]
    seen: set[tuple[Any, Any]] = set()
    for i, port in enumerate(ports):
        key = (port.get("protocol"), port.get("nodePort"))
        if key[1] and key in seen:
            errors.append(FieldError("Duplicate value", f"spec.ports[{i}].nodePort", str(key[1])))
        seen.add(key)
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


def _balanced(spec: Object) -> list[FieldError]:
    """Fields that only a load balancer has."""
    balanced = spec.get("type") == "LoadBalancer"
    errors: list[FieldError] = []
    ranges, path = spec.get("loadBalancerSourceRanges") or [], "spec.LoadBalancerSourceRanges"
    if ranges and not balanced:
        errors.append(FieldError("Forbidden", path, ONLY_BALANCED))
    for i, value in enumerate(ranges):
        errors += cidr_errors(f"{path}[{i}]", value.strip())
    if not balanced and spec.get("allocateLoadBalancerNodePorts") is not None:
        errors.append(FieldError("Forbidden", "spec.allocateLoadBalancerNodePorts", ONLY_BALANCED))
    name = spec.get("loadBalancerClass")
    if name is not None and not balanced:
        errors.append(FieldError("Forbidden", "spec.loadBalancerClass", ONLY_BALANCED))
    elif name is not None:
        errors += [invalid("spec.loadBalancerClass", name, why) for why in key_problems(name)]
    return errors


def _traffic(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    outside = spec.get("externalTrafficPolicy", "")
    if network.reached_from_outside(spec):
        if outside not in TRAFFIC:
            errors.append(unsupported("spec.externalTrafficPolicy", outside, TRAFFIC))
    elif outside:
        text = "may only be set for externally-accessible services"
        errors.append(invalid("spec.externalTrafficPolicy", outside, text))
    number = spec.get("healthCheckNodePort")
    if number and not network.wants_health_port(spec):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(FieldError("Invalid value", "spec.healthCheckNodePort", f"{number}: {text}"))
    inside = spec.get("internalTrafficPolicy")
    if inside is not None and inside not in TRAFFIC:
        errors.append(unsupported("spec.internalTrafficPolicy", inside, TRAFFIC))
    spread = spec.get("trafficDistribution")
    if spread is not None and spread not in DISTRIBUTIONS:
        errors.append(unsupported("spec.trafficDistribution", spread, DISTRIBUTIONS))
    return errors
