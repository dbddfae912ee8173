"""Which nodes a pod fits on, and why the others don't, in kube-scheduler's words: pure functions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from clusters.sandbox.quantity import parse

Object = dict[str, Any]
UNITS = ("cpu", "memory")
REQUIRED_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"


def requested(pod: Object) -> dict[str, Decimal]:
    """What the scheduler sets aside: containers and sidecars together."""
    totals = dict.fromkeys(UNITS, Decimal(0))
    sidecars = [item for item in pod["spec"].get("initContainers") or [] if item.get("restartPolicy") == "Always"]
    for container in [*(pod["spec"].get("containers") or []), *sidecars]:
        for unit in UNITS:
            totals[unit] += parse(((container.get("resources") or {}).get("requests") or {}).get(unit, "0"))
    return totals


def refusals(pod: Object, nodes: list[Object], used: dict[str, dict[str, Decimal]]) -> tuple[list[str], dict[str, int]]:
    """Names of the nodes that fit, and how many don't for which reason."""
    fitting, reasons = [], dict[str, int]()
    need = requested(pod)
    for node in nodes:
        name = node["metadata"]["name"]
        why = _unfit(pod, node) or _short(need, node, used[name])
        if why:
            reasons[why] = reasons.get(why, 0) + 1
        else:
            fitting.append(name)
    return fitting, reasons


def _unfit(pod: Object, node: Object) -> str:
    if node["spec"].get("unschedulable"):
        return "node(s) were unschedulable"
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] != "PreferNoSchedule" and not _tolerated(pod, taint):
            value = taint.get("value", "")
            return f"node(s) had untolerated taint {{{taint['key']}: {value}}}"
    labels = node["metadata"].get("labels") or {}
    selector = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()) or not _affine(pod, node):
        return "node(s) didn't match Pod's node affinity/selector"
    return ""


def _short(need: dict[str, Decimal], node: Object, used: dict[str, Decimal]) -> str:
    for unit in UNITS:
        if need[unit] > parse(node["status"]["allocatable"].get(unit, "0")) - used[unit]:
            return f"Insufficient {unit}"
    return ""


def _tolerated(pod: Object, taint: Object) -> bool:
    for toleration in pod["spec"].get("tolerations") or []:
        if toleration.get("effect") not in (None, "", taint["effect"]):
            continue
        if not toleration.get("key"):
            if toleration.get("operator") == "Exists":
                return True
            continue
        if toleration["key"] != taint["key"]:
            continue
        if toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", ""):
            return True
    return False


def _affine(pod: Object, node: Object) -> bool:
    """Required node affinity: any term, every rule of it."""
    required = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED_TERMS)
    if required is None:
        return True
    labels = node["metadata"].get("labels") or {}
    fields = {"metadata.name": node["metadata"]["name"]}
    return any(
        all(_holds(rule, labels) for rule in term.get("matchExpressions") or [])
        and all(_holds(rule, fields) for rule in term.get("matchFields") or [])
        and bool(term.get("matchExpressions") or term.get("matchFields"))
        for term in required.get("nodeSelectorTerms") or []
    )


def _holds(rule: Object, labels: dict[str, str]) -> bool:
    found, values = labels.get(rule["key"]), rule.get("values") or []
    operator = rule.get("operator")
    if operator in ("Gt", "Lt"):
        try:
            number, bound = int(found or ""), int(values[0])
        except (ValueError, IndexError):
            return False
        return number > bound if operator == "Gt" else number < bound
    table = {
        "In": found is not None and found in values,
        "NotIn": found not in values,
        "Exists": found is not None,
        "DoesNotExist": found is None,
    }
    return table.get(str(operator), False)
