"""Printer columns of workloads, jobs, the network's kinds and events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Object = dict[str, Any]
Age = Callable[[Any], str]
NONE = "<none>"
SHOWN = 3  # of addresses and ports
JOB_STATES = ("Complete", "Failed")
LATER_JOB_STATES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def listed(labels: Object | None) -> str:
    return ",".join(f"{name}={labels[name]}" for name in sorted(labels)) if labels else NONE


def selected(selector: Object | None) -> str:
    """A selector in one line."""
    selector = selector or {}
    parts = [listed(selector["matchLabels"])] if selector.get("matchLabels") else []
    for one in selector.get("matchExpressions") or ():
        values = f" ({','.join(sorted(one.get('values') or ()))})"
        words = {"In": f" in{values}", "NotIn": f" notin{values}", "Exists": "", "DoesNotExist": ""}
        parts.append(("!" if one["operator"] == "DoesNotExist" else "") + one["key"] + words[one["operator"]])
    return ",".join(parts) or NONE


def _images(spec: Object) -> list[str]:
    found = spec.get("containers") or []
    return [",".join(one.get(name, "") for one in found) for name in ("name", "image")]


def _template(obj: Object) -> Object:
    found: Object = obj["spec"]["template"].get("spec") or {}
    return found


def _deployment(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    counts = [status.get(name, 0) for name in ("updatedReplicas", "availableReplicas")]
    return [ready, *counts, *_images(_template(obj)), selected(spec.get("selector"))]


def _replica_set(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    counts = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [*counts, *_images(_template(obj)), selected(spec.get("selector"))]


def _stateful_set(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    return [f"{status.get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}", *_images(_template(obj))]


def _daemon_set(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")
    counts = [status.get(name, 0) for name in (*names, "updatedNumberScheduled", "numberAvailable")]
    inner = _template(obj)
    return [*counts, listed(inner.get("nodeSelector")), *_images(inner), selected(spec.get("selector"))]


def _job(obj: Object, age: Age) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    done, wanted = status.get("succeeded", 0), spec.get("completions")
    many = spec.get("parallelism", 0)
    shown = f"{done}/{wanted}" if wanted is not None else f"{done}/1 of {many}" if many > 1 else f"{done}/1"
    lasted = age(status["startTime"]) if status.get("startTime") else ""
    return [_job_state(obj), shown, lasted, *_images(_template(obj)), selected(spec.get("selector"))]


def _job_state(obj: Object) -> str:
    told = {one["type"] for one in (obj.get("status") or {}).get("conditions") or () if one.get("status") == "True"}
    ended = [state for state in JOB_STATES if state in told]
    if ended:
        return ended[0]
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((state for state in LATER_JOB_STATES if state in told), "Running")


def _cron_job(obj: Object, age: Age) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    last, inner = status.get("lastScheduleTime"), spec["jobTemplate"]["spec"]
    shown = [spec.get("schedule", ""), spec.get("timeZone") or NONE, str(bool(spec.get("suspend")))]
    pods = inner["template"].get("spec") or {}
    told = [len(status.get("active") or ()), age(last) if last else NONE]
    return [*shown, *told, *_images(pods), selected(inner.get("selector"))]


def _autoscaler(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    low = spec.get("minReplicas")
    counts = [spec.get("maxReplicas", 0), status.get("currentReplicas", 0)]
    place = f"{target.get('kind', '')}/{target.get('name', '')}"
    return [place, _metrics(spec.get("metrics") or []), "<unset>" if low is None else str(low), *counts]


def _metrics(metrics: list[Object]) -> str:
    shown = [_metric(one) for one in metrics]
    if len(shown) > 2:
        return f"{', '.join(shown[:2])} + {len(shown) - 2} more..."
    return ", ".join(shown) or NONE


def _metric(one: Object) -> str:
    """What a metric is to be; nobody measures here."""
    kind = one.get("type", "")
    inner = one.get(kind[:1].lower() + kind[1:]) or {}
    target = inner.get("target") or {}
    named = f"{inner.get('name', '')}: " if kind in {"Resource", "ContainerResource"} else ""
    if target.get("averageValue") is not None:
        return f"{named}<unknown>/{target['averageValue']}" + (" (avg)" if kind in {"External", "Object"} else "")
    wanted = target.get("averageUtilization")
    if named:
        return f"{named}<unknown>/{'<auto>' if wanted is None else f'{wanted}%'}"
    return f"<unknown>/{target.get('value', '')}"


def _budget(obj: Object) -> list[Any]:
    spec = obj["spec"]
    shown = [str(spec[name]) if spec.get(name) is not None else "N/A" for name in ("minAvailable", "maxUnavailable")]
    return [*shown, (obj.get("status") or {}).get("disruptionsAllowed", 0)]


def _ingress(obj: Object) -> list[Any]:
    spec = obj["spec"]
    rules = spec.get("rules") or []
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    shown = ",".join(hosts[:SHOWN]) + (f" + {len(rules) - SHOWN} more..." if len(hosts) > SHOWN else "")
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    address = ",".join(sorted({point.get("ip") or point.get("hostname", "") for point in points}))
    return [spec.get("ingressClassName") or NONE, shown or "*", address, "80, 443" if spec.get("tls") else "80"]


def _ingress_class(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    parameters = spec.get("parameters")
    if not parameters:
        return [spec.get("controller", ""), NONE]
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
    return [spec.get("controller", ""), f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"]


def _some(found: list[str], unset: str = "<unset>") -> str:
    """The first few, and how many more there are."""
    if not found:
        return unset
    return ",".join(found[:SHOWN]) + (f" + {len(found) - SHOWN} more..." if len(found) > SHOWN else "")


def _slice(obj: Object) -> list[Any]:
    ports = [
        str(one["port"]) if one.get("port") is not None else one.get("name") or "*" for one in obj.get("ports") or ()
    ]
    addresses = [address for one in obj.get("endpoints") or () for address in one.get("addresses") or ()]
    return [obj.get("addressType", ""), _some(ports), _some(addresses)]


def _endpoints(obj: Object) -> list[Any]:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [one.get("ip", "") for one in subset.get("addresses") or ()]
        for port in subset.get("ports") or [None]:
            found += [address if port is None else _joined(address, port["port"]) for address in addresses]
    return [_some(found, NONE)]


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def pod_template(obj: Object) -> list[Any]:
    inner = obj.get("template") or {}
    return [*_images(inner.get("spec") or {}), listed((inner.get("metadata") or {}).get("labels"))]


def _replication_controller(obj: Object) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    counts = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    inner = ((spec.get("template") or {}).get("spec")) or {}
    return [*counts, *_images(inner), listed(spec.get("selector"))]


def _revision(obj: Object) -> list[Any]:
    owner = next((one for one in obj["metadata"].get("ownerReferences") or () if one.get("controller")), None)
    if owner is None:
        return [NONE, obj.get("revision", 0)]
    group = owner["apiVersion"].rpartition("/")[0]
    kind = owner["kind"].lower() + (f".{group}" if group else "")
    return [f"{kind}/{owner['name']}", obj.get("revision", 0)]


def event(obj: Object, age: Age) -> list[Any]:
    about, source, series = obj.get("involvedObject") or {}, obj.get("source") or {}, obj.get("series")
    first = age(obj.get("firstTimestamp") or obj.get("eventTime"))
    last = age(obj["lastTimestamp"]) if obj.get("lastTimestamp") else first
    count = obj.get("count") or 1
    if series:
        last, count = age(series.get("lastObservedTime")), series.get("count", 0)
    kind = about.get("kind", "").lower()
    target = f"{kind}/{about['name']}" if about.get("name") else kind
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host") or obj.get("reportingInstance", "")
    place = f"{component}, {host}" if host else component
    told = [last, obj.get("type", ""), obj.get("reason", ""), target, about.get("fieldPath", ""), place]
    return [*told, obj.get("message", "").strip(), first, count, obj["metadata"]["name"]]


def _policy(obj: Object) -> list[Any]:
    spec = obj["spec"]
    kind = spec.get("paramKind")
    shown = f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else "<unset>"
    return [len(spec.get("validations") or ()), shown]


def _policy_binding(obj: Object) -> list[Any]:
    ref = obj["spec"].get("paramRef")
    shown = "<unset>"
    if ref:
        place = f"{ref['namespace']}/" if ref.get("namespace") else "*/"
        shown = place + (ref.get("name") or "*")
    return [obj["spec"].get("policyName", ""), shown]


AGED = {"jobs.batch", "cronjobs.batch"}  # whose other columns tell an age too
VALUES: dict[str, Callable[..., list[Any]]] = {
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "poddisruptionbudgets.policy": _budget,
    "ingresses.networking.k8s.io": _ingress,
    "ingressclasses.networking.k8s.io": _ingress_class,
    "endpointslices.discovery.k8s.io": _slice,
    "endpoints": _endpoints,
    "replicationcontrollers": _replication_controller,
    "controllerrevisions.apps": _revision,
    "runtimeclasses.node.k8s.io": lambda obj: [obj.get("handler", "")],
    "validatingwebhookconfigurations.admissionregistration.k8s.io": lambda obj: [len(obj.get("webhooks") or ())],
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": lambda obj: [len(obj.get("webhooks") or ())],
    "validatingadmissionpolicies.admissionregistration.k8s.io": _policy,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _policy_binding,
}
