"""Deployments, replica sets, stateful and daemon sets: selector, template, strategy, numbers that may not be negative."""

from __future__ import annotations

import re
from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import label_problems, selector_errors
from clusters.sandbox.rules_addresses import unsupported
from clusters.sandbox.rules_pods import template
from clusters.sandbox.selectors import matches_selector
from clusters.sandbox.store import Store

Object = dict[str, Any]
PERCENT = re.compile(r"[0-9]+%\Z")
PERCENT_TEXT = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"  # noqa: E501
SELECTOR = "spec.selector"
NONE = (0, "0%")
NEGATIVE = "must be greater than or equal to 0"
CHANGEABLE = {"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
              "persistentVolumeClaimRetentionPolicy", "minReadySeconds"}  # fmt: skip


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()


def _invalid(path: str, value: Any, why: str) -> FieldError:
    return FieldError("Invalid value", path, f"{_shown(value)}: {why}")


def _numbers(spec: Object, *names: str) -> list[FieldError]:
    return [_invalid(f"spec.{name}", spec[name], NEGATIVE) for name in names if (spec.get(name) or 0) < 0]


def _selector(spec: Object, noun: str) -> list[FieldError]:
    selector = spec.get("selector")
    if selector is None:
        return [FieldError("Required value", SELECTOR)]
    errors = selector_errors(selector, SELECTOR)
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(_invalid(SELECTOR, selector, f"empty selector is invalid for {noun}"))
    return errors


def _meets(spec: Object) -> list[FieldError]:
    """The template has what the selector looks for; no selector looks for nothing there is."""
    selector = spec.get("selector")
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if selector is not None and matches_selector(selector, {"metadata": {"labels": labels or {}}}):
        return []
    return [_invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")]


def _template(spec: Object, noun: str) -> list[FieldError]:
    return template(spec["template"], "spec.template") + _restarts(spec, noun)


def _restarts(spec: Object, noun: str) -> list[FieldError]:
    path, inner = "spec.template.spec", spec["template"].get("spec") or {}
    errors: list[FieldError] = []
    policy = inner.get("restartPolicy", "")
    if policy != "Always":
        errors.append(unsupported(f"{path}.restartPolicy", policy, ("Always",)))
    if inner.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {noun} is not Supported"
        errors.append(FieldError("Forbidden", f"{path}.activeDeadlineSeconds", text))
    return errors


def _pods(spec: Object, noun: str, title: str) -> list[FieldError]:
    errors = _selector(spec, noun)
    if selector_errors(spec.get("selector"), SELECTOR):
        return [*errors, _invalid(SELECTOR, spec["selector"], "invalid label selector")]
    return errors + _meets(spec) + _template(spec, title)


def _settled(new: Object, old: Object | None) -> list[FieldError]:
    if old is None or new["spec"].get("selector") == old["spec"].get("selector"):
        return []
    return [_invalid(SELECTOR, new["spec"].get("selector"), "field is immutable")]


def share(path: str, value: Any) -> list[FieldError]:
    if isinstance(value, str):
        return [] if PERCENT.match(value) else [_invalid(path, value, PERCENT_TEXT)]
    return [_invalid(path, value, NEGATIVE)] if value < 0 else []


def whole(path: str, value: Any) -> list[FieldError]:
    if isinstance(value, str) and PERCENT.match(value) and int(value[:-1]) > 100:
        return [_invalid(path, value, "must not be greater than 100%")]
    return []


def _strategy(strategy: Object) -> list[FieldError]:
    kind, rolling = strategy["type"], strategy.get("rollingUpdate")
    path = "spec.strategy.rollingUpdate"
    if kind == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [FieldError("Forbidden", path, text)] if rolling is not None else []
    if kind != "RollingUpdate":
        text = f'{_shown({"Type": kind, "RollingUpdate": rolling})}: supported values: "Recreate", "RollingUpdate"'
        return [FieldError("Unsupported value", "spec.strategy", text)]
    missing, surge = (
        strategy["rollingUpdate"][name] for name in ("maxUnavailable", "maxSurge")
    )  # the defaults fill them
    errors = share(f"{path}.maxUnavailable", missing) + share(f"{path}.maxSurge", surge)
    if missing in NONE and surge in NONE:
        errors.append(_invalid(f"{path}.maxUnavailable", missing, "may not be 0 when `maxSurge` is 0"))
    return errors + whole(f"{path}.maxUnavailable", missing)


def deployment(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors = _numbers(spec, "replicas") + _pods(spec, "deployment", "ReplicaSet") + _strategy(spec["strategy"])
    errors += _numbers(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec["progressDeadlineSeconds"]
    if deadline <= spec.get("minReadySeconds", 0):
        errors.append(_invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return errors + _settled(new, old)


def replica_set(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors = _numbers(spec, "replicas", "minReadySeconds")
    return errors + _pods(spec, "deployment", "ReplicaSet") + _settled(new, old)


def stateful_set(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors, policy, strategy = [], spec["podManagementPolicy"], spec["updateStrategy"]
    if policy not in {"OrderedReady", "Parallel"}:
        errors.append(_invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] not in {"RollingUpdate", "OnDelete"}:
        shown = {"Type": strategy["type"], "RollingUpdate": rolling}
        errors.append(_invalid("spec.updateStrategy", shown, "must be 'RollingUpdate' or 'OnDelete'"))
    elif rolling is not None:
        path, partition = "spec.updateStrategy.rollingUpdate", rolling.get("partition", 0)
        if strategy["type"] == "OnDelete":
            shown = {"Partition": partition, "MaxUnavailable": rolling.get("maxUnavailable")}
            errors.append(_invalid(path, shown, "only allowed for updateStrategy 'RollingUpdate'"))
        elif partition < 0:
            errors.append(_invalid(f"{path}.partition", partition, NEGATIVE))
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    errors += [
        unsupported(f"spec.persistentVolumeClaimRetentionPolicy.{name}", retention[name], ("Retain", "Delete"))
        for name in ("whenDeleted", "whenScaled")
        if retention.get(name) not in {None, "Retain", "Delete"}
    ]
    errors += _numbers(spec, "replicas", "minReadySeconds")
    if ((spec.get("ordinals") or {}).get("start") or 0) < 0:
        errors.append(_invalid("spec.ordinals.start", spec["ordinals"]["start"], NEGATIVE))
    service = spec.get("serviceName", "")
    if old is None and service:
        errors += [_invalid("spec.serviceName", service, why) for why in label_problems(service)]
    errors += _selector(spec, "statefulset")
    if selector_errors(spec.get("selector"), SELECTOR):
        errors.append(FieldError("Invalid value", SELECTOR, _shown(spec["selector"])))
    else:
        errors += _meets(spec) + template(_identified(spec), "spec.template")
    errors += _restarts(spec, "StatefulSet")
    if old is not None and _otherwise(spec, old["spec"]):
        text = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"  # noqa: E501
        errors.append(FieldError("Forbidden", "spec", text))
    return errors


def _identified(spec: Object) -> Object:
    """The template as its pods will have it: with the volumes of the claim templates, named by the controller."""
    inner = dict(spec["template"].get("spec") or {})
    claims = [(one.get("metadata") or {}).get("name", "") for one in spec.get("volumeClaimTemplates") or ()]
    made = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    inner["volumes"] = made + [one for one in inner.get("volumes") or () if one.get("name") not in claims]
    inner.pop("hostname", None)
    inner.pop("subdomain", None)
    return {**spec["template"], "spec": inner}


def _otherwise(spec: Object, before: Object) -> bool:
    return any(spec.get(name) != before.get(name) for name in {*spec, *before} - CHANGEABLE)


def _daemon_strategy(strategy: Object) -> list[FieldError]:
    kind, path = strategy["type"], "spec.updateStrategy.rollingUpdate"
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        shown = _shown({"Type": kind, "RollingUpdate": strategy.get("rollingUpdate")})
        text = f'{shown}: supported values: "RollingUpdate", "OnDelete"'
        return [FieldError("Unsupported value", "spec.updateStrategy", text)]
    missing, surge = strategy["rollingUpdate"]["maxUnavailable"], strategy["rollingUpdate"]["maxSurge"]
    errors = share(f"{path}.maxUnavailable", missing) + share(f"{path}.maxSurge", surge)
    errors += whole(f"{path}.maxUnavailable", missing) + whole(f"{path}.maxSurge", surge)
    if missing not in NONE and surge not in NONE:
        errors.append(_invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    elif missing in NONE and surge in NONE:
        errors.append(FieldError("Required value", f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


def daemon_set(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    selector = spec.get("selector")
    errors = selector_errors(selector, SELECTOR) or _meets(spec)
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(_invalid(SELECTOR, selector, "empty selector is invalid for daemonset"))
    errors += _template(spec, "DaemonSet") + _numbers(spec, "minReadySeconds")
    errors += _daemon_strategy(spec["updateStrategy"]) + _numbers(spec, "revisionHistoryLimit")
    return errors + _settled(new, old)
