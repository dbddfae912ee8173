"""Service addresses and node ports (k8s-replay 01)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from clusters.sandbox.errors import FieldError
from clusters.sandbox.store import Store

Object = dict[str, Any]
RANGE = ip_network("10.0.0.0/16")
NODE_PORTS = range(30000, 32768)


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
    return addresses, ports


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def address_errors(obj: Object, store: Store) -> list[FieldError]:
    """Asked-for addresses and node ports that can't be had."""
    spec = obj["spec"]
    wanted = spec.get("clusterIP") or ""
    errors: list[FieldError] = []
    addresses, ports = taken(store, obj["metadata"].get("uid", ""))
    if wanted and wanted != "None":
        if not _is_address(wanted):
            text = f'"{wanted}": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
            return [FieldError("Invalid value", "spec.clusterIPs[0]", text)]
        why = ""
        if ip_address(wanted) not in RANGE:
            why = "the provided network does not match the current range"
        elif wanted in addresses:
            why = "provided IP is already allocated"
        if why:
            text = f'["{wanted}"]: failed to allocate IP {wanted}: {why}'
            return [FieldError("Invalid value", "spec.clusterIPs", text)]
    for i, port in enumerate(spec.get("ports") or ()):
        number = port.get("nodePort")
        if number and number in ports:
            text = f"{number}: provided port is already allocated"
            errors.append(FieldError("Invalid value", f"spec.ports[{i}].nodePort", text))
        elif number and number not in NODE_PORTS:
            text = f"{number}: provided port is not in the valid range. The range of valid ports is 30000-32767"
            errors.append(FieldError("Invalid value", f"spec.ports[{i}].nodePort", text))
    return errors


def complete(obj: Object) -> None:
    """The fields of a service that follow from its type; addresses come in `assign_addresses`."""
    spec = obj["spec"]
    if spec.get("type") == "ExternalName":
        return
    if spec.get("clusterIP") == "None" and not spec.get("selector"):
        # Headless without selector: addresses come by hand, so both families are assumed (k8s-replay 05).
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"]]


def assign_addresses(obj: Object, store: Store) -> None:
    """Gives a service the address and node ports it has not asked for."""
    spec = obj["spec"]
    complete(obj)
    if spec.get("type") == "ExternalName":
        return
    addresses, ports = taken(store, obj["metadata"].get("uid", ""))
    if not spec.get("clusterIP"):
        chosen = next(str(host) for host in RANGE.hosts() if str(host) not in addresses)
        spec["clusterIP"], spec["clusterIPs"] = chosen, [chosen]
    if wants_node_ports(spec):
        for port in spec.get("ports") or ():
            if not port.get("nodePort"):
                port["nodePort"] = next(number for number in NODE_PORTS if number not in ports)
            ports.add(port["nodePort"])


def wants_node_ports(spec: Object) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True))


def inherit_addresses(new: Object, old: Object) -> None:
    """A PUT may leave out what the server allocated."""
    before, spec = old["spec"], new["spec"]
    if spec.get("type") == "ExternalName" or before.get("type") == "ExternalName":
        return
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP", "")
        spec["clusterIPs"] = list(before.get("clusterIPs") or [spec["clusterIP"]])
    elif spec["clusterIP"] != before.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if name in before:
            spec.setdefault(name, before[name])
    if wants_node_ports(spec):
        known = {(p["port"], p.get("protocol")): p.get("nodePort") for p in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            number = known.get((port["port"], port.get("protocol")))
            if number and not port.get("nodePort"):
                port["nodePort"] = number
