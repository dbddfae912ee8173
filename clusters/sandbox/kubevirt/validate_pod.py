"""Rules for what the virt-launcher pod inherits: host names, affinity, spreading, probes, DNS (k8s-transcript/20).

KubeVirt repeats Kubernetes' own pod rules here; their causes all read FieldValueInvalid and start with the field.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from typing import Any

from clusters.sandbox.kubevirt.causes import REQUIRED, Cause
from clusters.sandbox.kubevirt.names import dns_label, dns_subdomain, label_name, label_value
from clusters.sandbox.kubevirt.paths import Path

Object = dict[str, Any]
PROBES = ("httpGet", "tcpSocket", "exec", "guestAgentPing")
REQUIRED_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED_TERMS = "preferredDuringSchedulingIgnoredDuringExecution"


def _error(field: Path, kind: str, detail: str, value: Any = None) -> Cause:
    shown = f" {json.dumps(value, ensure_ascii=False)}:" if kind == "Invalid value" else ""
    return Cause(f"{field}: {kind}:{shown} {detail}", str(field))


def name_causes(path: Path, spec: Object) -> Iterator[Cause]:
    for key, rule, words in (("hostname", dns_label, "DNS_LABEL"), ("subdomain", dns_subdomain, "DNS_SUBDOMAIN")):
        wrong = rule(spec[key]) if spec.get(key) else []
        if wrong:
            field = path.child(key)
            yield Cause(f"{field} does not conform to the kubernetes {words} rules : {', '.join(wrong)}", str(field))


def affinity_causes(path: Path, spec: Object) -> Iterator[Cause]:
    affinity = spec.get("affinity") or {}
    if "nodeAffinity" in affinity:
        yield from _node_affinity(path.child("nodeAffinity"), affinity["nodeAffinity"])
    for key in ("podAffinity", "podAntiAffinity"):
        if key not in affinity:
            continue
        where = path.child(key)
        for index, term in enumerate(affinity[key].get(REQUIRED_TERMS) or []):
            yield from _pod_term(where.child(REQUIRED_TERMS).index(index), term)
        for index, weighted in enumerate(affinity[key].get(PREFERRED_TERMS) or []):
            item = where.child(PREFERRED_TERMS).index(index)
            yield from _weight(item, weighted)
            yield from _pod_term(item.child("podAffinityTerm"), weighted.get("podAffinityTerm") or {})


def _weight(where: Path, item: Object) -> Iterator[Cause]:
    weight = item.get("weight", 0)
    if not 0 < weight <= 100:
        yield _error(where.child("weight"), "Invalid value", "must be in the range 1-100", weight)


def _node_affinity(path: Path, affinity: Object) -> Iterator[Cause]:
    if REQUIRED_TERMS in affinity:
        where = path.child(REQUIRED_TERMS, "nodeSelectorTerms")
        terms = affinity[REQUIRED_TERMS].get("nodeSelectorTerms") or []
        if not terms:
            yield _error(where, "Required value", "must have at least one node selector term")
        for index, term in enumerate(terms):
            yield from _node_term(where.index(index), term)
    for index, preferred in enumerate(affinity.get(PREFERRED_TERMS) or []):
        item = path.child(PREFERRED_TERMS).index(index)
        yield from _weight(item, preferred)
        yield from _node_term(item.child("preference"), preferred.get("preference") or {})


def _node_term(where: Path, term: Object) -> Iterator[Cause]:
    for index, rule in enumerate(term.get("matchExpressions") or []):
        field = where.child("matchExpressions").index(index)
        wrong = _values_problem(rule)
        if wrong:
            yield _error(field.child("values"), *wrong)
        for text in label_name(rule.get("key", "")):
            yield _error(field.child("key"), "Invalid value", text, rule.get("key", ""))
    for index, rule in enumerate(term.get("matchFields") or []):
        field = where.child("matchFields").index(index)
        if rule.get("operator") not in ("In", "NotIn"):
            text = "not a valid selector operator"
            yield _error(field.child("operator"), "Invalid value", text, rule.get("operator", ""))
        elif len(rule.get("values") or []) != 1:
            text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            yield _error(field.child("values"), "Required value", text)
        if rule.get("key") != "metadata.name":
            yield _error(field.child("key"), "Invalid value", "not a valid field selector key", rule.get("key", ""))


def _values_problem(rule: Object) -> tuple[str, str] | None:
    operator, count = rule.get("operator"), len(rule.get("values") or [])
    if operator in ("In", "NotIn") and not count:
        return "Required value", "must be specified when `operator` is 'In' or 'NotIn'"
    if operator in ("Exists", "DoesNotExist") and count:
        return "Forbidden", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
    if operator in ("Gt", "Lt") and count != 1:
        return "Required value", "must be specified single value when `operator` is 'Lt' or 'Gt'"
    return None


def _pod_term(where: Path, term: Object) -> Iterator[Cause]:
    for key in ("labelSelector", "namespaceSelector"):
        yield from _label_selector(where.child(key), term.get(key) or {})
    for namespace in term.get("namespaces") or []:
        for text in dns_label(namespace):
            yield _error(where.child("namespace"), "Invalid value", text, namespace)
    topology = term.get("topologyKey", "")
    if not topology:
        yield _error(where.child("topologyKey"), "Required value", "can not be empty")
    for text in label_name(topology):
        yield _error(where.child("topologyKey"), "Invalid value", text, topology)


def _label_selector(where: Path, selector: Object) -> Iterator[Cause]:
    for key, value in (selector.get("matchLabels") or {}).items():
        for text in label_name(key):
            yield _error(where.child("matchLabels"), "Invalid value", text, key)
        for text in label_value(value):
            yield _error(where.child("matchLabels"), "Invalid value", text, value)
    for index, rule in enumerate(selector.get("matchExpressions") or []):
        yield from _selector_rule(where.child("matchExpressions").index(index), rule)


def _selector_rule(field: Path, rule: Object) -> Iterator[Cause]:
    operator, values = rule.get("operator", ""), rule.get("values") or []
    if operator in ("In", "NotIn") and not values:
        text = "must be specified when `operator` is 'In' or 'NotIn'"
        yield _error(field.child("values"), "Required value", text)
    elif operator in ("Exists", "DoesNotExist") and values:
        text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield _error(field.child("values"), "Forbidden", text)
    elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        yield _error(field.child("operator"), "Invalid value", "not a valid selector operator", operator)
    for text in label_name(rule.get("key", "")):
        yield _error(field.child("key"), "Invalid value", text, rule.get("key", ""))
    for place, value in enumerate(values):
        for text in label_value(value):
            yield _error(field.child("values").index(place), "Invalid value", text, value)


def spread_causes(path: Path, spec: Object) -> Iterator[Cause]:
    where = path.child("topologySpreadConstraints")
    constraints = spec.get("topologySpreadConstraints") or []
    pairs = [(item.get("topologyKey", ""), item.get("whenUnsatisfiable", "")) for item in constraints]
    for index, constraint in enumerate(constraints):
        item = where.index(index)
        if constraint.get("maxSkew", 0) <= 0:
            yield _error(
                item.child("maxSkew"), "Invalid value", "must be greater than zero", constraint.get("maxSkew", 0)
            )
        key, action = pairs[index]
        if not key:
            yield _error(item.child("topologyKey"), "Required value", "can not be empty")
        for text in label_name(key) if key else []:
            yield _error(item.child("topologyKey"), "Invalid value", text, key)
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            field = item.child("whenUnsatisfiable")
            text = f'{json.dumps(action, ensure_ascii=False)}: supported values: "DoNotSchedule", "ScheduleAnyway"'
            yield Cause(f"{field}: Unsupported value: {text}", str(field))
        yield from _label_selector(where.child("labelSelector"), constraint.get("labelSelector") or {})
        if pairs[index] in pairs[index + 1 :]:
            field = item.child("{topologyKey, whenUnsatisfiable}")
            yield Cause(f'{field}: Duplicate value: "{{{key}, {action}}}"', str(field))


def probe_causes(path: Path, spec: Object) -> Iterator[Cause]:
    names = ("readinessProbe", "livenessProbe")
    for name in names:
        probe, field = spec.get(name), path.child(name)
        if probe is None:
            continue
        handlers = sum(key in probe for key in PROBES)
        if handlers > 1:
            yield Cause(f"{field} must have exactly one probe type set", str(field))
        if not handlers:
            text = f"either {field}.tcpSocket, {field}.exec or {field}.httpGet must be set if a {field} is specified"
            yield Cause(text, str(field), REQUIRED)
    if any("pod" in network for network in spec.get("networks") or []):
        return
    for name in names:
        for key in ("httpGet", "tcpSocket"):
            if key in (spec.get(name) or {}):
                field = path.child(name, key)
                yield Cause(f"{field} is only allowed if the Pod Network is attached", str(field))


def dns_causes(path: Path, spec: Object) -> Iterator[Cause]:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            text = "must provide `dnsConfig` when `dnsPolicy` is None"
            yield Cause(text, str(path.child("dnsConfig")), REQUIRED)
            return
        if not config.get("nameservers"):
            yield Cause("must provide at least one DNS nameserver when `dnsPolicy` is None", "nameservers", REQUIRED)
            return
    if config is not None:
        yield from _dns_config(config)


def _dns_config(config: Object) -> Iterator[Cause]:
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > 3:
        yield Cause(f"must not have more than 3 nameservers: [{' '.join(servers)}]", "nameservers")
    for server in servers:
        if not _is_ip(server):
            yield Cause(f"must be valid IP address: {server}", "nameservers")
    if len(searches) > 6:
        yield Cause("must not have more than 6 search paths", "searchDomains")
    if len(" ".join(searches)) > 256:
        yield Cause("must not have more than 256 characters (including spaces) in the search list", "searchDomains")
    for search in searches:
        for wrong in dns_subdomain(search):
            yield Cause(wrong, "searchDomains")
    for option in config.get("options") or []:
        if not option.get("name"):
            yield Cause("Option.Name must not be empty", "options")


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
