"""Where a pod may be placed: affinity, tolerations, spread."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import (
    key_problems,
    label_problems,
    label_value_problems,
    selector_errors,
    subdomain_problems,
)
from clusters.sandbox.rules_addresses import unsupported

Object = dict[str, Any]
REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
WEIGHT = "must be in the range 1-100"
NO_OPERATOR = "not a valid selector operator"
ACTIONS = ("DoNotSchedule", "ScheduleAnyway")


def invalid(path: str, value: Any, why: str) -> FieldError:
    return FieldError("Invalid value", path, f"{orjson.dumps(value).decode()}: {why}")


def affinity(found: Object | None, path: str) -> list[FieldError]:
    if not found:
        return []
    errors: list[FieldError] = []
    nodes = found.get("nodeAffinity") or {}
    if nodes.get(REQUIRED) is not None:
        errors += node_selector(nodes[REQUIRED], f"{path}.nodeAffinity.{REQUIRED}")
    for i, term in enumerate(nodes.get(PREFERRED) or ()):
        here = f"{path}.nodeAffinity.{PREFERRED}[{i}]"
        errors += _weight(term, here) + _term(term.get("preference") or {}, f"{here}.preference", values=False)
    for name in ("podAffinity", "podAntiAffinity"):
        pods = found.get(name) or {}
        for i, term in enumerate(pods.get(REQUIRED) or ()):
            errors += _pod_term(term, f"{path}.{name}.{REQUIRED}[{i}]")
        for i, weighted in enumerate(pods.get(PREFERRED) or ()):
            here = f"{path}.{name}.{PREFERRED}[{i}]"
            errors += _weight(weighted, here)
            errors += _pod_term(weighted.get("podAffinityTerm") or {}, f"{here}.podAffinityTerm")
    return errors


def _weight(term: Object, path: str) -> list[FieldError]:
    weight = term.get("weight", 0)
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, WEIGHT)]


def node_selector(selector: Object, path: str) -> list[FieldError]:
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        text = "must have at least one node selector term"
        return [FieldError("Required value", f"{path}.nodeSelectorTerms", text)]
    return [error for i, term in enumerate(terms) for error in _term(term, f"{path}.nodeSelectorTerms[{i}]")]


def _term(term: Object, path: str, *, values: bool = True) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, one in enumerate(term.get("matchExpressions") or ()):
        errors += _requirement(one, f"{path}.matchExpressions[{i}]", values=values)
    for i, one in enumerate(term.get("matchFields") or ()):
        here, given = f"{path}.matchFields[{i}]", one.get("values") or []
        if one.get("operator") not in {"In", "NotIn"}:
            errors.append(invalid(f"{here}.operator", one.get("operator", ""), NO_OPERATOR))
        elif len(given) != 1:
            text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            errors.append(FieldError("Required value", f"{here}.values", text))
        if one.get("key") != "metadata.name":
            errors.append(invalid(f"{here}.key", one.get("key", ""), "not a valid field selector key"))
            continue
        for j, value in enumerate(given):
            errors += [invalid(f"{here}.values[{j}]", value, why) for why in subdomain_problems(value)]
    return errors


def _requirement(one: Object, path: str, *, values: bool) -> list[FieldError]:
    operator, given, key = one.get("operator", ""), one.get("values") or [], one.get("key", "")
    errors: list[FieldError] = []
    if operator in {"In", "NotIn"}:
        if not given:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            errors.append(FieldError("Required value", f"{path}.values", text))
    elif operator in {"Exists", "DoesNotExist"}:
        if given:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(FieldError("Forbidden", f"{path}.values", text))
    elif operator in {"Gt", "Lt"}:
        if len(given) != 1:
            text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            errors.append(FieldError("Required value", f"{path}.values", text))
    else:
        errors.append(invalid(f"{path}.operator", operator, NO_OPERATOR))
    errors += [invalid(f"{path}.key", key, why) for why in key_problems(key)]
    for i, value in enumerate(given if values else ()):
        errors += [invalid(f"{path}.values[{i}]", value, why) for why in label_value_problems(value)]
    return errors


def _pod_term(term: Object, path: str) -> list[FieldError]:
    errors = selector_errors(term.get("labelSelector"), f"{path}.labelSelector")
    errors += selector_errors(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for name in term.get("namespaces") or ():
        errors += [invalid(f"{path}.namespace", name, why) for why in label_problems(name)]
    key, here = term.get("topologyKey", ""), f"{path}.topologyKey"
    if not key:
        errors.append(FieldError("Required value", here, "can not be empty"))
    return errors + [invalid(here, key, why) for why in key_problems(key)]


def tolerations(found: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, one in enumerate(found):
        here, key, operator = f"{path}[{i}]", one.get("key", ""), one.get("operator", "")
        effect, value = one.get("effect", ""), one.get("value", "")
        errors += [invalid(f"{here}.key", key, why) for why in key_problems(key)] if key else []
        if not key and operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(invalid(f"{here}.operator", operator, text))
        if one.get("tolerationSeconds") is not None and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(invalid(f"{here}.effect", effect, text))
        if operator in {"Equal", ""}:
            problems = label_value_problems(value)
            errors += [invalid(f"{here}.operator", value, ";".join(problems))] if problems else []
        elif operator != "Exists":
            errors.append(unsupported(f"{here}.operator", operator, ("Equal", "Exists")))
        elif value:
            errors.append(invalid(f"{here}.operator", value, "value must be empty when `operator` is 'Exists'"))
        if effect and effect not in EFFECTS:
            errors.append(unsupported(f"{here}.effect", effect, EFFECTS))
    return errors


def spread(found: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for i, one in enumerate(found):
        here, key, action = f"{path}[{i}]", one.get("topologyKey", ""), one.get("whenUnsatisfiable", "")
        if one.get("maxSkew", 0) <= 0:
            errors.append(invalid(f"{here}.maxSkew", one.get("maxSkew", 0), "must be greater than zero"))
        if not key:
            errors.append(FieldError("Required value", f"{here}.topologyKey", "can not be empty"))
        if action not in ACTIONS:
            errors.append(unsupported(f"{here}.whenUnsatisfiable", action, ACTIONS))
        if (key, action) in seen:
            text = orjson.dumps(f"{{{key}, {action}}}").decode()
            errors.append(FieldError("Duplicate value", f"{here}.{{topologyKey, whenUnsatisfiable}}", text))
        seen.add((key, action))
        errors += selector_errors(one.get("labelSelector"), f"{here}.labelSelector")
    return errors
