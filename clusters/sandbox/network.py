"""Service addresses, families and node ports: what the server settles before it judges a service (k8s-replay 01, 05)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from itertools import islice
from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.rules_addresses import address_fields
from clusters.sandbox.store import Store

Object = dict[str, Any]
RANGE = ip_network("10.0.0.0/16")
NODE_PORTS = range(30000, 32768)
STATIC_ADDRESSES, STATIC_PORTS = 256, 86  # the beginning of each range is left to those who ask for a certain one
FAMILY = "IPv4"  # the only one of this cluster
CLUSTER_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")


def wants_address(spec: Object) -> bool:
    return spec.get("type") in CLUSTER_TYPES


def wants_node_ports(spec: Object) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True))


def wants_health_port(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def reached_from_outside(spec: Object) -> bool:
    kind = spec.get("type")
    return kind in {"NodePort", "LoadBalancer"} or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def headless(spec: Object) -> bool:
    return spec.get("clusterIP") == "None"


def taken(store: Store, besides: str = "") -> tuple[set[str], set[int]]:
    """Cluster addresses and node ports in use by other services."""
    addresses: set[str] = {"10.0.0.1"}
    ports: set[int] = set()
    for stored in store.shelf("services").items():
        if stored.meta["uid"] == besides:
            continue
        spec = stored.obj["spec"]
        addresses.update(spec.get("clusterIPs") or ())
        ports.update(port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort"))
        if spec.get("healthCheckNodePort"):
            ports.add(spec["healthCheckNodePort"])
    return addresses, ports


def begin(obj: Object, old: Object | None, store: Store) -> list[FieldError]:
    """Completes a service in place; what can't be had refuses it before anything else is looked at."""
    spec, before = obj["spec"], None if old is None else old["spec"]
    if before is not None:
        _inherit(spec, before)
    _one_spelling(spec, before)
    found = _families(spec, before)
    if found:
        return found
    addresses, ports = taken(store, obj["metadata"].get("uid", ""))
    return _addresses(spec, before, addresses) or _node_ports(spec, before, ports)


def _inherit(spec: Object, before: Object) -> None:
    """A PUT may leave out what the server allocated."""
    if wants_address(spec) and wants_address(before):
        if not spec.get("clusterIP"):
            spec["clusterIP"] = before.get("clusterIP", "")
        if not spec.get("clusterIPs") and spec["clusterIP"] == before.get("clusterIP"):
            spec["clusterIPs"] = list(before.get("clusterIPs") or ())
    if wants_node_ports(spec) and wants_node_ports(before):
        known = {(p["port"], p.get("protocol")): p.get("nodePort") for p in before.get("ports") or ()}
        given = {port.get("nodePort") for port in spec.get("ports") or ()}
        for port in spec.get("ports") or ():
            number = known.get((port.get("port"), port.get("protocol")))
            if number and not port.get("nodePort") and number not in given:
                port["nodePort"] = number
    if wants_health_port(spec) and wants_health_port(before) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort")


def _one_spelling(spec: Object, before: Object | None) -> None:
    """`clusterIP` and `clusterIPs` say the same, where a client knows only one of them."""
    address = spec.get("clusterIP", "")
    if before is None:
        if address and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [address]
    elif address != before.get("clusterIP", "") and spec.get("clusterIPs") in (None, [], before.get("clusterIPs")):
        spec["clusterIPs"] = [address]
        if not address:
            del spec["clusterIPs"]


def _families(spec: Object, before: Object | None) -> list[FieldError]:
    """The policy, the families that follow from it, and what contradicts them."""
    if spec.get("type") == "ExternalName":
        return []
    lone = headless(spec) and not spec.get("selector")
    if not spec.get("ipFamilyPolicy"):
        earlier = (before or {}).get("ipFamilyPolicy")
        spec["ipFamilyPolicy"] = earlier or ("RequireDualStack" if lone else "SingleStack")
    found = address_fields(spec)
    if found:
        return found
    policy = spec["ipFamilyPolicy"]
    families = list(spec.get("ipFamilies") or ())
    path, shown = "spec.ipFamilyPolicy", orjson.dumps(policy).decode()
    if policy == "SingleStack":
        several = (("cluster IPs", spec.get("clusterIPs") or ()), ("IP families", families))
        text = "must be 'RequireDualStack' or 'PreferDualStack' when multiple"
        found = [
            FieldError("Invalid value", path, f"{shown}: {text} {what} are specified")
            for what, values in several
            if len(values) == 2
        ]
    if found:
        return found
    # Headless without selector: addresses come by hand, so both families are assumed (k8s-replay 05).
    if lone:
        spec["ipFamilies"] = families or [FAMILY]
        if policy != "SingleStack" and len(spec["ipFamilies"]) == 1:
            spec["ipFamilies"].append("IPv6" if spec["ipFamilies"] == ["IPv4"] else "IPv4")
        return []
    if policy == "RequireDualStack":
        text = "this cluster is not configured for dual-stack services"
        found.append(FieldError("Invalid value", path, f"{shown}: {text}"))
    found += [
        FieldError("Invalid value", f"spec.ipFamilies[{i}]", f'"{family}": not configured on this cluster')
        for i, family in enumerate(families)
        if family != FAMILY
    ]
    if not found:
        spec["ipFamilies"] = families or [FAMILY]
    return found


def _addresses(spec: Object, before: Object | None, used: set[str]) -> list[FieldError]:
    if not wants_address(spec) or headless(spec) or (before is not None and wants_address(before)):
        return []
    wanted = spec.get("clusterIP") or ""
    if wanted:
        why = ""
        if ip_address(wanted) not in RANGE:
            why = "the provided network does not match the current range"
        elif wanted in used:
            why = "provided IP is already allocated"
        if not why:
            return []
        shown = orjson.dumps(spec["clusterIPs"]).decode()
        return [FieldError("Invalid value", "spec.clusterIPs", f"{shown}: failed to allocate IP {wanted}: {why}")]
    free = (str(host) for host in islice(RANGE.hosts(), STATIC_ADDRESSES, None) if str(host) not in used)
    spec["clusterIP"] = next(free)
    spec["clusterIPs"] = [spec["clusterIP"]]
    return []


def _node_ports(spec: Object, before: Object | None, used: set[int]) -> list[FieldError]:
    ports = spec.get("ports") or []
    if wants_node_ports(spec):
        mine = {port.get("nodePort") for port in (before or {}).get("ports") or ()}
        for i, port in enumerate(ports):
            number = port.get("nodePort")
            why = _refused(number, used) if number and number not in mine else ""
            if why:
                return [FieldError("Invalid value", f"spec.ports[{i}].nodePort", f"{number}: {why}")]
        given = {port["nodePort"] for port in ports if port.get("nodePort")}
        _number(ports, used | given, shared=before is None)
    if wants_health_port(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = _free(used | {port.get("nodePort", 0) for port in ports})
    return []


def _refused(number: int, used: set[int]) -> str:
    if number not in NODE_PORTS:
        return "provided port is not in the valid range. The range of valid ports is 30000-32767"
    return "provided port is already allocated" if number in used else ""


def _number(ports: list[Object], used: set[int], *, shared: bool) -> None:
    """Node ports for those without; in a new service the same port in two protocols has one."""
    known = {port["port"]: port["nodePort"] for port in ports if port.get("nodePort")} if shared else {}
    for port in ports:
        if not port.get("nodePort"):
            port["nodePort"] = known.get(port["port"]) or _free(used)
        if shared:
            known.setdefault(port["port"], port["nodePort"])
        used.add(port["nodePort"])


def _free(used: Iterable[int]) -> int:
    return next(number for number in NODE_PORTS[STATIC_PORTS:] if number not in used)


def settle(new: Object, old: Object) -> None:
    """A type that has no use for a field drops it, unless the same update changes it."""
    spec, before = new["spec"], old["spec"]
    for wanted, names in (
        (wants_address, ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")),
        (wants_health_port, ("healthCheckNodePort",)),
        (_balanced, ("allocateLoadBalancerNodePorts", "loadBalancerClass")),
        (reached_from_outside, ("externalTrafficPolicy",)),
    ):
        if wanted(before) and not wanted(spec):
            for name in names:
                if spec.get(name) == before.get(name):
                    spec.pop(name, None)
    if wants_node_ports(before) and not wants_node_ports(spec) and _numbers(spec) == _numbers(before):
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)


def _balanced(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer"


def _numbers(spec: Object) -> list[Any]:
    return [port.get("nodePort") for port in spec.get("ports") or ()]
