"""Rules for networks and interfaces, in virt-api's order (verdicts: k8s-transcript/20)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from clusters.sandbox.kubevirt.causes import DUPLICATE, NOT_SUPPORTED, REQUIRED, Cause
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.names import port_name
from clusters.sandbox.kubevirt.paths import Path

Object = dict[str, Any]
MODELS = ("e1000", "e1000e", "igb", "ne2k_pci", "pcnet", "rtl8139", "virtio")
BINDINGS = ("bridge", "masquerade", "sriov", "passtBinding", "binding")
RESERVED_MAC = "02:00:00:00:00:00"
INTERFACE_NAME = re.compile(r"^[A-Za-z0-9_-]+\Z")
PCI_ADDRESS = re.compile(r"^([\da-fA-F]{4}):([\da-fA-F]{2}):([\da-fA-F]{2})\.([0-7])\Z", re.ASCII)
# Go's ParseMAC: pairs joined by ":" or "-", or groups of four hex digits joined by dots.
MAC = re.compile(
    r"^(?:[\da-fA-F]{2}([:-]))(?:[\da-fA-F]{2}\1)*[\da-fA-F]{2}\Z|^(?:[\da-fA-F]{4}\.)+[\da-fA-F]{4}\Z", re.ASCII
)
MAC_BYTES = (6, 8, 20)


def discontinued(spec: Object) -> Iterator[Cause]:
    """Bindings KubeVirt dropped; refused on create only, with a path that leaves out the template."""
    words = (("slirp", "Slirp interface support has"), ("passt", "Passt network binding has"))
    for index, interface in enumerate(interfaces(spec)):
        for key, text in (*words, ("macvtap", "Macvtap network binding has")):
            if key in interface:
                field = f"spec.domain.devices.interfaces[{index}].{key}"
                yield Cause(f"{text} been discontinued since v1.3", field)


def interfaces(spec: Object) -> list[Object]:
    return list(((spec.get("domain") or {}).get("devices") or {}).get("interfaces") or [])


def network_causes(path: Path, spec: Object, gates: Gates) -> Iterator[Cause]:
    networks = list(spec.get("networks") or [])
    yield from _pod_networks(path, networks)
    yield from _sources(path, networks)
    where = path.child("domain", "devices", "interfaces")
    for index, interface in enumerate(interfaces(spec)):
        yield from _state(where.index(index), interface, networks)
    by_name = {network["name"]: network for network in networks}
    for index, interface in enumerate(interfaces(spec)):
        yield from _binding(where.index(index), interface, by_name.get(interface["name"], {}), gates)
    yield from _unique_networks(path, networks)
    if any("resourceClaim" in network for network in networks) and not gates.on("NetworkDevicesWithDRA"):
        text = "vmi.spec.networks contains DRA networks but NetworkDevicesWithDRA feature gate is not enabled"
        yield Cause(text, str(path.child("networks")))
    yield from _assigned(path, spec, networks)
    for index, interface in enumerate(interfaces(spec)):
        yield from _fields(path, where.index(index), interface, by_name.get(interface["name"], {}), gates)


def _pod_networks(path: Path, networks: list[Object]) -> Iterator[Cause]:
    pods = [network for network in networks if "pod" in network]
    defaults = [network for network in networks if (network.get("multus") or {}).get("default")]
    if len(pods) > 1:
        field = str(path.child("interfaces"))
        yield Cause(f"more than one interface is connected to a pod network in {field}", field, DUPLICATE)
    if len(defaults) > 1:
        yield Cause("Multus CNI should only have one default network", str(path.child("networks")))
    if pods and defaults:
        text = "Pod network cannot be defined when Multus default network is defined"
        yield Cause(text, str(path.child("networks")))


def _sources(path: Path, networks: list[Object]) -> Iterator[Cause]:
    for index, network in enumerate(networks):
        kinds = sum(key in network for key in ("pod", "multus", "resourceClaim"))
        if kinds != 1:
            text = "should have only one network type" if kinds else "should have a network type"
            yield Cause(text, str(path.child("networks").index(index)), REQUIRED)
    for index, network in enumerate(networks):
        if "multus" in network and not network["multus"].get("networkName"):
            field = str(path.child("networks").index(index))
            yield Cause("CNI delegating plugin must have a networkName", field, REQUIRED)
            return


def _state(where: Path, interface: Object, networks: list[Object]) -> Iterator[Cause]:
    state, name = interface.get("state", ""), interface["name"]
    field = str(where.child("state"))
    if state not in ("", "absent", "down", "up"):
        yield Cause(f"logical {name} interface state value is unsupported: {state}", field)
    if "sriov" in interface and state in ("down", "up"):
        yield Cause(f'"{name}" interface\'s state "{state}" is not supported for SR-IOV NICs', field)
    if state != "absent":
        return
    if "bridge" not in interface:
        yield Cause(f'"{name}" interface\'s state "absent" is supported only for bridge binding', field)
    default = [net for net in networks if "pod" in net or (net.get("multus") or {}).get("default")]
    if default and default[0]["name"] == name:
        yield Cause(f'"{name}" interface\'s state "absent" is not supported on default networks', field)


def _binding(where: Path, interface: Object, network: Object, gates: Gates) -> Iterator[Cause]:
    name = interface["name"]
    if sum(key in interface for key in BINDINGS) != 1:
        yield Cause(f"logical {name} interface must have exactly one binding method or binding plugin", str(where))
    if "masquerade" in interface:
        if "pod" not in network:
            yield Cause("Masquerade interface only implemented with pod network", str(where.child("name")))
        if interface.get("macAddress") == RESERVED_MAC:
            text = "The requested MAC address is reserved for the in-pod bridge. Please choose another one."
            yield Cause(text, str(where.child("macAddress")))
    if "passtBinding" in interface:
        if not gates.on("PasstBinding"):
            yield Cause("PasstBinding feature gate is not enabled", str(where.child("name")))
        if "pod" not in network:
            yield Cause("PasstBinding interface only implemented with pod network", str(where.child("name")))


def _unique_networks(path: Path, networks: list[Object]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, network in enumerate(networks):
        if network["name"] in seen:
            text = f'Network with name "{network["name"]}" already exists, every network must have a unique name'
            yield Cause(text, str(path.child("networks").index(index).child("name")), DUPLICATE)
        seen.add(network["name"])


def _assigned(path: Path, spec: Object, networks: list[Object]) -> Iterator[Cause]:
    """Networks and interfaces pair up by name, one to one."""
    seen = {network["name"] for network in networks}
    names = [interface["name"] for interface in interfaces(spec)]
    for index, network in enumerate(networks):
        if network["name"] not in names:
            field = path.child("networks").index(index).child("name")
            yield Cause(f"{field} '{network['name']}' not found.", str(field), REQUIRED)
    where = path.child("domain", "devices", "interfaces")
    for index, name in enumerate(names):
        if name in names[:index]:
            text = "Only one interface can be connected to one specific network"
            yield Cause(text, str(where.index(index).child("name")), DUPLICATE)
    for index, name in enumerate(names):
        if name not in seen:
            field = where.index(index).child("name")
            yield Cause(f"{field} '{name}' not found.", str(field))


def _fields(path: Path, where: Path, interface: Object, network: Object, gates: Gates) -> Iterator[Cause]:
    name = where.child("name")
    if not INTERFACE_NAME.match(interface["name"]):
        text = "Network interface name can only contain alphabetical characters, numbers, dashes (-) or underscores (_)"
        yield Cause(text, str(name))
    model = interface.get("model")
    if model and model not in MODELS:
        text = f"interface {name} uses model {model} that is not supported."
        yield Cause(text, str(where.child("model")), NOT_SUPPORTED)
    mac = interface.get("macAddress", "")
    wrong = mac_problem(mac)
    if wrong:
        yield Cause(f"interface {name} has {wrong} ({mac}).", str(where.child("macAddress")))
    address = interface.get("pciAddress")
    if address and not PCI_ADDRESS.match(address):
        yield Cause(f"interface {name} has malformed PCI address ({address}).", str(where.child("pciAddress")))
    if "pod" in network:
        yield from _ports(where.child("ports"), interface.get("ports") or [])
    if "portRanges" in interface and not gates.on("PortRangesSpec"):
        text = "portRanges is specified on interface but the PortRangesSpec feature gate is not enabled"
        yield Cause(text, str(name))
    yield from _dhcp(path, where, interface.get("dhcpOptions") or {})


def mac_problem(mac: str) -> str:
    if not mac:
        return ""
    size = sum(char.isalnum() for char in mac) // 2
    if not MAC.match(mac) or size not in MAC_BYTES:
        return "malformed MAC address"
    return "too long MAC address" if size > 6 else ""


def _ports(where: Path, ports: list[Object]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name = port.get("name", "")
        field = str(where.index(index).child("name"))
        if name and name in seen:
            yield Cause(f"Duplicate name of the port: {name}", field, DUPLICATE)
        if name and not port_name(name):
            yield Cause(f"Invalid name of the port: {name}", field)
        seen.add(name)
    for index, port in enumerate(ports):
        number = port.get("port", 0)
        field = str(where.index(index).child("port"))
        if number == 0:
            yield Cause("Port field is mandatory.", field, REQUIRED)
        if not 0 <= number < 65536:
            yield Cause("Port field must be in range 0 < x < 65536.", field)
        if port.get("protocol") not in (None, "", "TCP", "UDP"):
            text = "Unknown protocol, only TCP or UDP allowed"
            yield Cause(text, str(where.index(index).child("protocol")))


def _dhcp(path: Path, where: Path, options: Object) -> Iterator[Cause]:
    numbers = [option.get("option", 0) for option in options.get("privateOptions") or []]
    if len(set(numbers)) < len(numbers):
        yield Cause("Found Duplicates: you have provided duplicate DHCPPrivateOptions", str(path))
    for number in numbers:
        if not 224 <= number <= 254:
            text = "provided DHCPPrivateOptions are out of range, must be in range 224 to 254"
            yield Cause(text, str(path))
    for index, server in enumerate(options.get("ntpServers") or []):
        if not _ipv4(server):
            field = where.child("dhcpOptions", "ntpServers").index(index)
            yield Cause("NTP servers must be a list of valid IPv4 addresses.", str(field))


def _ipv4(text: str) -> bool:
    try:
        return isinstance(ipaddress.ip_address(text), ipaddress.IPv4Address)
    except ValueError:
        return False
