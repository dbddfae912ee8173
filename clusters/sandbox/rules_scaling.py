"""Autoscalers and disruption budgets."""

from __future__ import annotations

from typing import Any

from clusters.sandbox import quantity
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import path_problems, selector_errors
from clusters.sandbox.rules_addresses import unsupported
from clusters.sandbox.rules_containers import invalid
from clusters.sandbox.rules_workloads import share, whole
from clusters.sandbox.store import Store

Object = dict[str, Any]
METRICS = ("ContainerResource", "External", "Object", "Pods", "Resource")
TARGETS = ("Utilization", "Value", "AverageValue")
EVICTIONS = ("AlwaysAllow", "IfHealthyBudget")
LONGEST_WINDOW, LONGEST_PERIOD = 3600, 1800  # seconds


def autoscaler(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    low, high = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    errors: list[FieldError] = []
    if low is not None and low < 1:
        errors.append(invalid("spec.minReplicas", low, "must be greater than or equal to 1"))
    if not high:
        errors.append(FieldError("Required value", "spec.maxReplicas", "must be set and greater than 0"))
    elif high < 0:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than or equal to 1"))
    if low is not None and high < low:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    errors += _target(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for i, metric in enumerate(spec.get("metrics") or ()):
        errors += _metric(metric, f"spec.metrics[{i}]")
    if low == 0 and not any(one.get("type") in {"Object", "External"} for one in spec.get("metrics") or ()):
        text = "must specify at least one Object or External metric to support scaling to zero replicas"
        errors.append(FieldError("Forbidden", "spec.metrics", text))
    for name in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(name)
        if rules is not None:
            errors += _behavior(rules, f"spec.behavior.{name}")
    return errors


def _target(ref: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in ("kind", "name"):
        value = ref.get(name, "")
        errors += [invalid(f"{path}.{name}", value, why) for why in path_problems(value)] if value else []
        errors += [] if value else [FieldError("Required value", f"{path}.{name}")]
    if "/" not in ref.get("apiVersion", ""):
        errors.append(invalid(f"{path}.apiVersion", ref.get("apiVersion", ""), "apiVersion must specify API group"))
    return errors


def _metric(metric: Object, path: str) -> list[FieldError]:
    kind = metric.get("type", "")
    errors: list[FieldError] = []
    if not kind:
        errors.append(FieldError("Required value", f"{path}.type", "must specify a metric source type"))
    if kind not in METRICS:
        errors.append(unsupported(f"{path}.type", kind, METRICS))
    fields = [name[:1].lower() + name[1:] for name in METRICS]
    given = [name for name in fields if metric.get(name) is not None]
    if given and given[0] in {"resource", "containerResource"}:
        errors += _resource(metric[given[0]], f"{path}.{given[0]}")
    expected = kind[:1].lower() + kind[1:]
    if kind not in METRICS:
        errors.append(unsupported(f"{path}.type", kind, METRICS))
    elif expected not in given:
        text = "must populate information for the given metric source"
        errors.append(FieldError("Required value", f"{path}.{expected}", text))
    text = "must populate the given metric source only"
    others = [name for name in given if name != expected] if len(given) != 1 else []
    return errors + [FieldError("Forbidden", f"{path}.{name}", text) for name in others]


def _resource(source: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not source.get("name"):
        errors.append(FieldError("Required value", f"{path}.name", "must specify a resource name"))
    target = source.get("target") or {}
    kind, here = target.get("type", ""), f"{path}.target"
    if not kind:
        errors.append(FieldError("Required value", f"{here}.type", "must specify a metric target type"))
    if kind not in TARGETS:
        errors.append(invalid(f"{here}.type", kind, "must be either Utilization, Value, or AverageValue"))
    given = [name for name in ("value", "averageValue") if target.get(name) is not None]
    nothing = [name for name in given if quantity.parse(target[name]) <= 0]
    errors += [invalid(f"{here}.{name}", target[name], "must be positive") for name in nothing]
    share_wanted, amount = target.get("averageUtilization"), target.get("averageValue")
    if share_wanted is not None and share_wanted < 1:
        errors.append(invalid(f"{here}.averageUtilization", share_wanted, "must be greater than 0"))
    if share_wanted is None and amount is None:
        text = "must set either a target raw value or a target utilization"
        errors.append(FieldError("Required value", f"{here}.averageUtilization", text))
    if share_wanted is not None and amount is not None:
        text = "may not set both a target raw value and a target utilization"
        errors.append(FieldError("Forbidden", f"{here}.averageValue", text))
    return errors


def _behavior(rules: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    window, here = rules.get("stabilizationWindowSeconds"), f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        errors.append(invalid(here, window, "must be greater than or equal to zero"))
    if window is not None and window > LONGEST_WINDOW:
        errors.append(invalid(here, window, f"must be less than or equal to {LONGEST_WINDOW}"))
    chosen, allowed = rules.get("selectPolicy"), ("Disabled", "Max", "Min")
    if chosen is not None and chosen not in allowed:
        errors.append(unsupported(f"{path}.selectPolicy", chosen, allowed))
    if not rules.get("policies"):
        errors.append(FieldError("Required value", f"{path}.policies", "must specify at least one Policy"))
    for i, policy in enumerate(rules.get("policies") or ()):
        one = f"{path}.policies[{i}]"
        if policy.get("type") not in {"Pods", "Percent"}:
            errors.append(unsupported(f"{one}.type", policy.get("type", ""), ("Percent", "Pods")))
        amounts = {name: policy.get(name) or 0 for name in ("value", "periodSeconds")}
        errors += [invalid(f"{one}.{name}", n, "must be greater than zero") for name, n in amounts.items() if n <= 0]
        if (policy.get("periodSeconds") or 0) > LONGEST_PERIOD:
            text = f"must be less than or equal to {LONGEST_PERIOD}"
            errors.append(invalid(f"{one}.periodSeconds", policy["periodSeconds"], text))
    return errors


def disruption_budget(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        fields = ("MinAvailable", "Selector", "MaxUnavailable", "UnhealthyPodEvictionPolicy")
        shown = {name: spec.get(name[0].lower() + name[1:]) for name in fields}
        errors.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for name in ("minAvailable", "maxUnavailable"):
        if spec.get(name) is not None:
            errors += share(f"spec.{name}", spec[name]) + whole(f"spec.{name}", spec[name])
    errors += selector_errors(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in EVICTIONS:
        errors.append(unsupported("spec.unhealthyPodEvictionPolicy", policy, EVICTIONS))
    return errors
