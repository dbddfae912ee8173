"""Defaults of pods and of what pods are made from (k8s-replay 05)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.usage import container_total

Object = dict[str, Any]
SHARED = ("cpu", "memory")  # of which a pod as a whole may have an amount


def pod_spec(spec: Object) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        _container(container)
    for container in spec.get("ephemeralContainers") or ():
        _container(container)
    for volume in spec.get("volumes") or ():
        _volume_source(volume)


def _volume_source(volume: Object) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "projected", "downwardAPI"):
        if isinstance(volume.get(source), dict):
            volume[source].setdefault("defaultMode", 420)
    for part in (volume.get("projected") or {}).get("sources") or ():
        if part.get("serviceAccountToken") is not None:
            part["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        for item in (part.get("downwardAPI") or {}).get("items") or ():
            _field_ref(item)
    for item in (volume.get("downwardAPI") or {}).get("items") or ():
        _field_ref(item)
    if volume.get("hostPath") is not None:
        volume["hostPath"].setdefault("type", "")
    claim = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if claim is not None:
        claim["spec"].setdefault("volumeMode", "Filesystem")


def _field_ref(holder: Object) -> None:
    if holder.get("fieldRef") is not None:
        holder["fieldRef"].setdefault("apiVersion", "v1")


def _container(container: Object) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    image = container.get("image", "")
    tag = image.rpartition("/")[2].partition(":")[2]
    container.setdefault("imagePullPolicy", "Always" if tag in {"", "latest"} and "@" not in image else "IfNotPresent")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            defaults = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
            for field, value in defaults.items():
                probe.setdefault(field, value)
            _handler(probe)
    for name in ("postStart", "preStop"):
        _handler((container.get("lifecycle") or {}).get(name) or {})
    for variable in container.get("env") or ():
        _field_ref(variable.get("valueFrom") or {})


def _handler(handler: Object) -> None:
    if handler.get("httpGet") is not None:
        handler["httpGet"].setdefault("path", "/")
        handler["httpGet"].setdefault("scheme", "HTTP")
    if handler.get("grpc") is not None and handler["grpc"].get("service") is None:
        handler["grpc"]["service"] = ""


def pod(obj: Object) -> None:
    spec = obj["spec"]
    pod_spec(spec)
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources") or {}
        if resources.get("limits"):  # a limit without a request is a request of the same size
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
        for port in container.get("ports") or () if spec.get("hostNetwork") else ():
            if not port.get("hostPort"):
                port["hostPort"] = port.get("containerPort", 0)
    whole = spec.get("resources") or {}
    if whole.get("limits"):
        asked = {name: str(value) for name, value in container_total(spec, "requests").items() if name in SHARED}
        asked |= whole.get("requests") or {}
        whole["requests"] = {**{name: value for name, value in whole["limits"].items() if name in SHARED}, **asked}
    spec.setdefault("enableServiceLinks", True)
