"""Network policies (k8s-transcript 02)."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import selector_errors
from clusters.sandbox.rules_addresses import MORE_BITS, cidr_errors, unsupported
from clusters.sandbox.rules_service import PORT_RANGE, invalid, port_errors
from clusters.sandbox.store import Store

Object = dict[str, Any]
PROTOCOLS = ("TCP", "UDP", "SCTP")
SIDES = ("Ingress", "Egress")


def network_policy(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors = selector_errors(spec.get("podSelector"), "spec.podSelector")
    for side, peers in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(side) or ()):
            path = f"spec.{side}[{i}]"
            for j, port in enumerate(rule.get("ports") or ()):
                errors += _policy_port(f"{path}.ports[{j}]", port)
            for j, peer in enumerate(rule.get(peers) or ()):
                errors += _peer(f"{path}.{peers}[{j}]", peer)
    known = _blocks(old["spec"]) if old is not None else set()
    errors = [one for one in errors if not (one.detail.endswith(MORE_BITS) and _quoted(one) in known)]
    kinds = spec.get("policyTypes") or []
    if len(kinds) > len(SIDES):
        text = f"{orjson.dumps(kinds).decode()}: may not specify more than two policyTypes"
        return [*errors, FieldError("Invalid value", "spec.policyTypes", text)]
    return errors + [
        unsupported(f"spec.policyTypes[{i}]", kind, SIDES) for i, kind in enumerate(kinds) if kind not in SIDES
    ]


def _blocks(spec: Object) -> set[str]:
    """The networks that a policy named before: what was accepted then stays accepted."""
    blocks = [
        peer.get("ipBlock") or {}
        for side, peers in (("ingress", "from"), ("egress", "to"))
        for rule in spec.get(side) or ()
        for peer in rule.get(peers) or ()
    ]
    return {value for block in blocks for value in [block.get("cidr", ""), *(block.get("except") or ())]}


def _quoted(error: FieldError) -> str:
    return error.detail.split('"')[1]


def _policy_port(path: str, port: Object) -> list[FieldError]:
    errors = []
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        errors.append(unsupported(f"{path}.protocol", protocol, PROTOCOLS))
    if isinstance(number, str) or number is None:
        if end is not None:
            what = "is not specified" if number is None else "is non-numeric"
            text = f"{end}: may not be specified when `port` {what}"
            errors.append(FieldError("Invalid value", f"{path}.endPort", text))
        return errors + port_errors(f"{path}.port", number)
    errors += port_errors(f"{path}.port", number)
    if end is not None:
        if end < number:
            text = f"{number}: must be greater than or equal to `port`"
            errors.append(FieldError("Invalid value", f"{path}.endPort", text))
        if not 1 <= end <= 65535:
            errors.append(FieldError("Invalid value", f"{path}.endPort", f"{end}: {PORT_RANGE}"))
    return errors


def _peer(path: str, peer: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    named = [name for name in ("podSelector", "namespaceSelector") if peer.get(name) is not None]
    for name in named:
        errors += selector_errors(peer[name], f"{path}.{name}")
    block = peer.get("ipBlock")
    if block is not None:
        errors += _block(f"{path}.ipBlock", block)
        if named:
            errors.append(FieldError("Forbidden", path, "may not specify both ipBlock and another peer"))
    elif not named:
        errors.append(FieldError("Required value", path, "must specify a peer"))
    return errors


def _block(path: str, block: Object) -> list[FieldError]:
    cidr = block.get("cidr", "")
    if not cidr:
        return [FieldError("Required value", f"{path}.cidr")]
    errors = cidr_errors(f"{path}.cidr", cidr)
    if errors:
        return errors
    whole = ip_network(cidr, strict=False)
    for i, value in enumerate(block.get("except") or ()):
        here = f"{path}.except[{i}]"
        wrong = cidr_errors(here, value)
        if not wrong:
            part = ip_network(value, strict=False)
            inside = part.version == whole.version and part.network_address in whole
            if not inside or part.prefixlen <= whole.prefixlen:
                wrong = [invalid(here, value, "must be a strict subset of `cidr`")]
        errors += wrong
    return errors
