"""Ingresses and their classes."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import label_problems, path_problems, subdomain_problems
from clusters.sandbox.rules_addresses import unsupported
from clusters.sandbox.rules_containers import invalid
from clusters.sandbox.rules_service import PORT_RANGE, port_name_problems
from clusters.sandbox.store import Store

Object = dict[str, Any]
OLD_CLASS = "kubernetes.io/ingress.class"
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
NEVER_IN, NEVER_LAST = ("//", "/./", "/../", "%2f", "%2F"), ("/..", "/.")
WILDCARD = re.compile(r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
WILDCARD_TEXT = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"  # noqa: E501
LONGEST_CONTROLLER = 250
CONTROLLER_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+\Z")
CONTROLLER_TEXT = 'must be a domain-prefixed path (such as "acme.io/foo")'


def ingress(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new.get("spec") or {}
    rules, errors = spec.get("rules") or [], []
    if not rules and spec.get("defaultBackend") is None:
        text = "either `defaultBackend` or `rules` must be specified"
        errors.append(invalid("spec", spec.get("rules") or None, text))
    if spec.get("defaultBackend") is not None:
        errors += _backend(spec["defaultBackend"], "spec.defaultBackend")
    for i, rule in enumerate(rules):
        errors += _rule(rule, f"spec.rules[{i}]")
    for i, part in enumerate(spec.get("tls") or ()):
        for j, host in enumerate(part.get("hosts") or ()):
            errors += _host(host, f"spec.tls[{i}].hosts[{j}]")
        name = part.get("secretName")
        errors += [
            invalid(f"spec.tls[{i}].secretName", name, why) for why in (subdomain_problems(name) if name else ())
        ]
    chosen = spec.get("ingressClassName")
    if chosen is not None:
        errors += [invalid("spec.ingressClassName", chosen, why) for why in subdomain_problems(chosen)]
    noted = (new["metadata"].get("annotations") or {}).get(OLD_CLASS)
    if old is None and noted is not None and chosen is not None and noted != chosen:
        text = "must match `ingressClassName` when both are specified"
        errors.append(invalid(f"annotations.{OLD_CLASS}", noted, text))
    return errors


def warnings(obj: Object) -> list[str]:
    spec = obj.get("spec") or {}
    if OLD_CLASS in (obj["metadata"].get("annotations") or {}) and spec.get("ingressClassName") is None:
        return [f"annotation \"{OLD_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"]
    return []


def _host(host: str, path: str) -> list[FieldError]:
    if "*" not in host:
        return [invalid(path, host, why) for why in subdomain_problems(host)]
    return [] if WILDCARD.match(host) else [invalid(path, host, WILDCARD_TEXT)]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _rule(rule: Object, path: str) -> list[FieldError]:
    host, errors = rule.get("host", ""), []
    if host and _is_address(host):
        errors.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
    errors += _host(host, f"{path}.host") if host else []
    web = rule.get("http")
    if web is None:
        return errors
    if not web.get("paths"):
        errors.append(FieldError("Required value", f"{path}.http.paths"))
    for i, one in enumerate(web.get("paths") or ()):
        errors += _path(one, f"{path}.http.paths[{i}]")
    return errors


def _path(one: Object, path: str) -> list[FieldError]:
    kind, where, here = one.get("pathType"), one.get("path", ""), f"{path}.path"
    if kind is None:
        return [FieldError("Required value", f"{path}.pathType", "pathType must be specified")]
    errors: list[FieldError] = []
    if kind in {"Exact", "Prefix"}:
        if not where.startswith("/"):
            errors.append(invalid(here, where, "must be an absolute path"))
        errors += [invalid(here, where, f"must not contain '{bad}'") for bad in NEVER_IN if bad in where]
        errors += [invalid(here, where, f"cannot end with '{bad}'") for bad in NEVER_LAST if where.endswith(bad)]
    elif kind == "ImplementationSpecific":
        if where and not where.startswith("/"):
            errors.append(invalid(here, where, "must be an absolute path"))
    else:
        errors.append(unsupported(f"{path}.pathType", kind, PATH_TYPES))
    return errors + _backend(one.get("backend") or {}, f"{path}.backend")


def _backend(backend: Object, path: str) -> list[FieldError]:
    service, other = backend.get("service"), backend.get("resource")
    if service is not None and other is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if other is not None:
        return _reference(other, f"{path}.resource")
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    name, port = service.get("name", ""), service.get("port") or {}
    errors = [invalid(f"{path}.service.name", name, why) for why in label_problems(name)] if name else []
    if not name:
        errors.append(FieldError("Required value", f"{path}.service.name"))
    word, number = port.get("name", ""), port.get("number") or 0
    if word and number:
        errors.append(invalid(path, "", "cannot set both port name & port number"))
    elif word:
        errors += [invalid(f"{path}.service.port.name", word, why) for why in port_name_problems(word)]
    elif not number:
        errors.append(FieldError("Required value", path, "port name or number is required"))
    elif not 1 <= number <= 65535:
        errors.append(invalid(f"{path}.service.port.number", number, PORT_RANGE))
    return errors


def _reference(ref: Object, path: str) -> list[FieldError]:
    group = ref.get("apiGroup")
    errors = [
        invalid(f"{path}.apiGroup", group, why) for why in (subdomain_problems(group) if group is not None else ())
    ]
    for name in ("kind", "name"):
        value = ref.get(name, "")
        errors += [invalid(f"{path}.{name}", value, why) for why in path_problems(value)] if value else []
        errors += [] if value else [FieldError("Required value", f"{path}.{name}")]
    return errors


def ingress_class(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new.get("spec") or {}
    name, path, errors = spec.get("controller", ""), "spec.controller", []
    if old is not None and name != (old.get("spec") or {}).get("controller", ""):
        errors.append(invalid(path, name, "field is immutable"))
    if len(name) > LONGEST_CONTROLLER:
        errors.append(FieldError("Too long", path, f"may not be more than {LONGEST_CONTROLLER} bytes"))
    errors += _controller(name, path)
    parameters = spec.get("parameters")
    if parameters is None:
        return errors
    here = "spec.parameters"
    errors += _reference(parameters, here)
    scope, place = parameters.get("scope"), parameters.get("namespace")
    if scope not in {"Cluster", "Namespace"}:
        errors.append(unsupported(f"{here}.scope", scope or "", ("Cluster", "Namespace")))
    elif scope == "Namespace" and place is None:
        text = "`parameters.scope` is set to 'Namespace'"
        errors.append(FieldError("Required value", f"{here}.namespace", text))
    elif scope == "Cluster" and place is not None:
        errors.append(FieldError("Forbidden", f"{here}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return errors


def _controller(name: str, path: str) -> list[FieldError]:
    if not name:
        return [FieldError("Required value", path)]
    domain, slash, rest = name.partition("/")
    if not slash or not domain or not rest:
        return [invalid(path, name, CONTROLLER_TEXT)]
    errors = [invalid(path, domain, why) for why in subdomain_problems(domain)]
    if not CONTROLLER_PATH.match(rest):
        errors.append(
            invalid(path, rest, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')")
        )
    return errors
