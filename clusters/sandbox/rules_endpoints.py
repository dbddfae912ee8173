"""Endpoints, endpoint slices and events."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import key_problems, label_problems, quoted, subdomain_problems
from clusters.sandbox.rules_addresses import address_errors, special_errors, unsupported
from clusters.sandbox.rules_containers import invalid
from clusters.sandbox.rules_service import PORT_RANGE
from clusters.sandbox.store import Store

Object = dict[str, Any]
PROTOCOLS = ("SCTP", "TCP", "UDP")
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
MOST_ADDRESSES = 100
LONGEST = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}


def endpoints(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    if old is not None and new.get("subsets") == old.get("subsets"):
        return []
    errors: list[FieldError] = []
    for i, subset in enumerate(new.get("subsets") or ()):
        path, ports = f"subsets[{i}]", subset.get("ports") or []
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.append(FieldError("Required value", path, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(subset.get(field) or ()):
                errors += _address(address, f"{path}.{field}[{j}]")
        for j, port in enumerate(ports):
            errors += _port(port, f"{path}.ports[{j}]", named=len(ports) > 1)
    return errors


def _address(address: Object, path: str) -> list[FieldError]:
    ip, host, node = address.get("ip", ""), address.get("hostname", ""), address.get("nodeName")
    wrong = address_errors(f"{path}.ip", ip)
    errors = list(wrong)
    errors += [invalid(f"{path}.hostname", host, why) for why in label_problems(host)] if host else []
    errors += [invalid(f"{path}.nodeName", node, why) for why in subdomain_problems(node)] if node is not None else []
    if wrong:
        return [*errors, invalid(f"{path}.ip", ip, "must be a valid IP address")]
    return errors + special_errors(f"{path}.ip", ip)


def _port(port: Object, path: str, *, named: bool) -> list[FieldError]:
    name, number, protocol = port.get("name", ""), port.get("port") or 0, port.get("protocol", "")
    errors = [invalid(f"{path}.name", name, why) for why in label_problems(name)] if name else []
    if named and not name:
        errors.append(FieldError("Required value", f"{path}.name"))
    if not 1 <= number <= 65535:
        errors.append(invalid(f"{path}.port", number, PORT_RANGE))
    if protocol not in PROTOCOLS:
        errors.append(unsupported(f"{path}.protocol", protocol, PROTOCOLS))
    return errors


def endpoint_slice(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    kind, errors = new.get("addressType", ""), []
    if not kind:
        errors.append(FieldError("Required value", "addressType"))
    elif kind not in ADDRESS_TYPES:
        errors.append(unsupported("addressType", kind, ADDRESS_TYPES))
    names: set[str] = set()
    for i, port in enumerate(new.get("ports") or ()):
        path, name, protocol = f"ports[{i}]", port.get("name") or "", port.get("protocol", "")
        errors += [invalid(f"{path}.name", name, why) for why in label_problems(name)] if name else []
        if name in names:
            errors.append(FieldError("Duplicate value", f"{path}.name", quoted(name)))
        names.add(name)
        if protocol not in PROTOCOLS:
            errors.append(unsupported(f"{path}.protocol", protocol, PROTOCOLS))
    if old is None or new.get("endpoints") != old.get("endpoints"):
        for i, endpoint in enumerate(new.get("endpoints") or ()):
            errors += _endpoint(endpoint, kind, f"endpoints[{i}]")
    if old is not None and kind != old.get("addressType"):
        errors.append(invalid("addressType", kind, "field is immutable"))
    return errors


def _endpoint(endpoint: Object, kind: str, path: str) -> list[FieldError]:
    addresses, here, errors = endpoint.get("addresses") or [], f"{path}.addresses", []
    if not addresses:
        errors.append(FieldError("Required value", here, "must contain at least 1 address"))
    elif len(addresses) > MOST_ADDRESSES:
        errors.append(FieldError("Too many", here, f"{len(addresses)}: must have at most {MOST_ADDRESSES} items"))
    for i, address in enumerate(addresses if kind in {"IPv4", "IPv6"} else ()):
        wrong = address_errors(f"{here}[{i}]", address)
        if not wrong:
            if f"IPv{ip_address(address).version}" != kind:
                wrong = [invalid(here, address, f"must be an {kind} address")]
            # Hooks of a sandbox run beside it: an address of the machine itself is let through, as no real server does.
            if not ip_address(address).is_loopback:
                wrong += special_errors(f"{here}[{i}]", address)
        errors += wrong
    host, node = endpoint.get("hostname"), endpoint.get("nodeName")
    errors += [invalid(f"{path}.nodeName", node, why) for why in (subdomain_problems(node) if node is not None else ())]
    return errors + [
        invalid(f"{path}.hostname", host, why) for why in (label_problems(host) if host is not None else ())
    ]


def event(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    """An event with a time of its own says more of itself than one of the old sort."""
    place, about = new["metadata"].get("namespace", ""), (new.get("involvedObject") or {}).get("namespace", "")
    path, text = "involvedObject.namespace", "does not match event.namespace"
    if not new.get("eventTime"):
        fits = about == place or (not about and place in {"", "default"})
        return [] if fits else [invalid(path, about, text)]
    errors: list[FieldError] = []
    if not about and place not in {"default", "kube-system"}:
        errors.append(invalid(path, about, text))
    component = new.get("reportingComponent", "")
    if not component:
        errors.append(FieldError("Required value", "reportingComponent"))
    errors += [invalid("reportingComponent", component, why) for why in key_problems(component)]
    for name, most in LONGEST.items():
        value = new.get(name, "")
        if not value and name != "message":
            errors.append(FieldError("Required value", name))
        if len(value) > most:
            errors.append(invalid(name, "", f"can have at most {most} characters"))
    return errors
