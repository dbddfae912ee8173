"""Containers of a pod: names, images, ports, environment, probes, resources and their security."""

from __future__ import annotations

import re
from typing import Any

import orjson

from clusters.sandbox import quantity
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import label_problems, quoted, subdomain_problems
from clusters.sandbox.rules_addresses import unsupported
from clusters.sandbox.rules_config import CONFIG_KEY, KEY_TEXT
from clusters.sandbox.rules_quota import CONTAINED, HUGE, resource_problems
from clusters.sandbox.rules_service import PORT_RANGE, port_errors, port_name_problems
from clusters.sandbox.rules_volumes import descending, mounts

Object = dict[str, Any]
Volumes = dict[str, Object]
ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
ENV_RESOURCES = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory",
    "requests.cpu", "requests.ephemeral-storage", "requests.memory",
)  # fmt: skip
ENV_NAME = re.compile(r"[ -<>-~]+\Z")
ENV_TEXT = "a valid environment variable name must consist only of printable ASCII characters other than '='"
ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
PROTOCOLS = ("SCTP", "TCP", "UDP")
PULLS = ("Always", "IfNotPresent", "Never")
RESTARTS = ("Always", "Never", "OnFailure")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
NEGATIVE = "must be greater than or equal to 0"
HIGHEST_ID = 2**31 - 1
SIDECAR_ONLY = "may not be set for init containers without restartPolicy=Always"
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
POD_WIDE = ("cpu", "memory")  # of which a pod as a whole may have an amount, besides huge pages


def invalid(path: str, value: Any, why: str) -> FieldError:
    return FieldError("Invalid value", path, f"{orjson.dumps(value).decode()}: {why}")


def containers(spec: Object, path: str, volumes: Volumes) -> list[FieldError]:
    found = spec.get("containers") or []
    if not found:
        return [FieldError("Required value", f"{path}.containers")]
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, one in enumerate(found):
        here, name = f"{path}.containers[{i}]", one.get("name", "")
        errors += common(one, here, volumes)
        if name in names:
            errors.append(FieldError("Duplicate value", f"{here}.name", quoted(name)))
        names.add(name)
        errors += _living(one, here, spec)
        if one.get("restartPolicy") not in {None, *RESTARTS}:
            errors.append(unsupported(f"{here}.restartPolicy", one["restartPolicy"], RESTARTS))
    return errors + _host_ports(found, f"{path}.containers")


def init_containers(spec: Object, path: str, volumes: Volumes) -> list[FieldError]:
    errors: list[FieldError] = []
    names = {one.get("name", "") for one in spec.get("containers") or ()}
    for i, one in enumerate(spec.get("initContainers") or ()):
        here, name = f"{path}.initContainers[{i}]", one.get("name", "")
        errors += common(one, here, volumes)
        if one.get("restartPolicy") not in {None, *RESTARTS}:
            errors.append(unsupported(f"{here}.restartPolicy", one["restartPolicy"], RESTARTS))
        if name in names:
            errors.append(FieldError("Duplicate value", f"{here}.name", quoted(name)))
        elif name:
            names.add(name)
        if one.get("restartPolicy") == "Always":
            errors += _living(one, here, spec)
        else:
            given = [field for field in ("lifecycle", *PROBES) if one.get(field) is not None]
            errors += [FieldError("Forbidden", f"{here}.{field}", SIDECAR_ONLY) for field in given]
    return errors


def common(one: Object, path: str, volumes: Volumes) -> list[FieldError]:
    """What is asked of a container of any sort."""
    name = one.get("name", "")
    errors = [invalid(f"{path}.name", name, why) for why in label_problems(name)] if name else []
    if not name:
        errors.append(FieldError("Required value", f"{path}.name"))
    if not one.get("image"):
        errors.append(FieldError("Required value", f"{path}.image"))
    said = one.get("terminationMessagePolicy", "")
    if said not in {"File", "FallbackToLogsOnError"}:
        allowed = ("File", "FallbackToLogsOnError")
        errors.append(unsupported(f"{path}.terminationMessagePolicy", said, allowed))
    errors += _ports(one.get("ports") or [], f"{path}.ports")
    errors += _environment(one, path) + mounts(one, volumes, path)
    pull = one.get("imagePullPolicy", "")
    if pull not in PULLS:
        errors.append(unsupported(f"{path}.imagePullPolicy", pull, PULLS))
    errors += resources(one.get("resources") or {}, f"{path}.resources", pod_wide=False)
    return errors + _security(one.get("securityContext") or {}, f"{path}.securityContext")


def _ports(ports: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        here, name, number = f"{path}[{i}]", port.get("name", ""), port.get("containerPort") or 0
        problems = port_name_problems(name) if name else []
        errors += [invalid(f"{here}.name", name, why) for why in problems]
        if name and not problems and name in names:
            errors.append(FieldError("Duplicate value", f"{here}.name", quoted(name)))
        names.add(name)
        if not number:
            errors.append(FieldError("Required value", f"{here}.containerPort"))
        elif not 1 <= number <= 65535:
            errors.append(invalid(f"{here}.containerPort", number, PORT_RANGE))
        outside = port.get("hostPort") or 0
        if outside and not 1 <= outside <= 65535:
            errors.append(invalid(f"{here}.hostPort", outside, PORT_RANGE))
        if port.get("protocol", "") not in PROTOCOLS:
            errors.append(unsupported(f"{here}.protocol", port.get("protocol", ""), PROTOCOLS))
    return errors


def _host_ports(found: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, one in enumerate(found):
        for j, port in enumerate(one.get("ports") or ()):
            key = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port.get('hostPort')}"
            if port.get("hostPort") and key in seen:
                errors.append(FieldError("Duplicate value", f"{path}[{i}].ports[{j}].hostPort", quoted(key)))
            seen.add(key)
    return errors


def _environment(one: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, variable in enumerate(one.get("env") or ()):
        here, name = f"{path}.env[{i}]", variable.get("name", "")
        if not name:
            errors.append(FieldError("Required value", f"{here}.name"))
        elif not ENV_NAME.match(name):
            errors.append(invalid(f"{here}.name", name, ENV_TEXT))
        if variable.get("valueFrom") is not None:
            errors += _value_from(variable, f"{here}.valueFrom")
    base = f"{path}.envFrom"
    for i, source in enumerate(one.get("envFrom") or ()):
        prefix = source.get("prefix", "")
        if prefix and not ENV_NAME.match(prefix):
            errors.append(invalid(f"{base}[{i}].prefix", prefix, ENV_TEXT))
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for kind in given:
            name, here = source[kind].get("name", ""), f"{base}[{i}].{kind}.name"
            errors += [invalid(here, name, why) for why in subdomain_problems(name)] if name else []
            errors += [] if name else [FieldError("Required value", here)]
        if not given:
            errors.append(invalid(base, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            errors.append(invalid(base, "", "may not have more than one field specified at a time"))
    return errors


def _value_from(variable: Object, path: str) -> list[FieldError]:
    source = variable["valueFrom"]
    given = [name for name in ENV_SOURCES if source.get(name) is not None]
    errors: list[FieldError] = []
    for name in given:
        ref, here = source[name], f"{path}.{name}"
        if name == "fieldRef":
            errors += _field_ref(ref, here)
        elif name == "resourceFieldRef" and ref.get("resource") not in ENV_RESOURCES:
            errors.append(unsupported(f"{here}.resource", ref.get("resource", ""), ENV_RESOURCES))
        elif name.endswith("KeyRef"):
            errors += _key_ref(ref, here)
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        errors.append(invalid(path, "", text))
    elif variable.get("value"):
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _field_ref(ref: Object, path: str) -> list[FieldError]:
    wanted = ref.get("fieldPath", "")
    if not wanted:
        return [FieldError("Required value", f"{path}.fieldPath")]
    if wanted in ENV_FIELDS or re.match(r"metadata\.(labels|annotations)\['.+'\]\Z", wanted):
        return []
    known = {"metadata.annotations", "metadata.labels", "spec.restartPolicy"}
    if wanted in known:
        return [unsupported(f"{path}.fieldPath", wanted, ENV_FIELDS)]
    text = f"error converting fieldPath: field label not supported: {wanted}"
    return [invalid(f"{path}.fieldPath", wanted, text)]


def _key_ref(ref: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name, key = ref.get("name", ""), ref.get("key", "")
    errors += [invalid(f"{path}.name", name, why) for why in subdomain_problems(name)] if name else []
    errors += [] if name else [FieldError("Required value", f"{path}.name")]
    if not key:
        errors.append(FieldError("Required value", f"{path}.key"))
    elif not CONFIG_KEY.match(key):
        errors.append(invalid(f"{path}.key", key, KEY_TEXT))
    return errors


def resources(wanted: Object, path: str, *, pod_wide: bool) -> list[FieldError]:
    """Amounts of a container, or of a pod as a whole: known names, no debts, requests within limits."""
    errors: list[FieldError] = []
    limits, requests = wanted.get("limits") or {}, wanted.get("requests") or {}
    for side, values in (("limits", limits), ("requests", requests)):
        for name, value in values.items():
            here = f"{path}.{side}[{name}]"
            errors += _resource_name(here, name, pod_wide=pod_wide) + _amount(here, name, value)
            if side == "requests":
                errors += _within(path, name, value, limits.get(name))
    names = {*limits, *requests}
    if any(name.startswith("hugepages-") for name in names) and not names & set(POD_WIDE):
        errors.append(FieldError("Forbidden", path, "HugePages require cpu or memory"))
    if not pod_wide:
        errors += [
            FieldError("Not found", f"{path}.claims[{i}]", quoted(claim.get("name", "")))
            for i, claim in enumerate(wanted.get("claims") or ())
        ]
    return errors


def _resource_name(path: str, name: str, *, pod_wide: bool) -> list[FieldError]:
    problems = resource_problems(name)
    if pod_wide:
        if not problems and name not in POD_WIDE and not name.startswith(HUGE[0]):
            return [unsupported(path, name, POD_WIDE)]
    elif "/" not in name:
        if name not in CONTAINED and not name.startswith(HUGE[0]):
            problems = [*problems, "must be a standard resource for containers"]
    elif "kubernetes.io/" not in name and name.startswith("requests."):
        problems = [*problems, "doesn't follow extended resource name standard"]
    return [invalid(path, name, why) for why in problems]


def _amount(path: str, name: str, value: str) -> list[FieldError]:
    number = quantity.parse(value)
    errors = [invalid(path, value, NEGATIVE)] if number < 0 else []
    if "/" in name and "kubernetes.io/" not in name and number % 1:
        errors.append(invalid(path, value, "must be an integer"))
    return errors


def _within(path: str, name: str, value: str, limit: str | None) -> list[FieldError]:
    overcommitted = ("/" not in name or "kubernetes.io/" in name) and not name.startswith(HUGE[0])
    if limit is None:
        if overcommitted:
            return []
        return [FieldError("Required value", f"{path}.limits", "Limit must be set for non overcommitable resources")]
    asked, most = quantity.parse(value), quantity.parse(limit)
    if asked != most and not overcommitted:
        return [invalid(f"{path}.requests", value, f"must be equal to {name} limit of {limit}")]
    if asked > most:
        return [invalid(f"{path}.requests", value, f"must be less than or equal to {name} limit of {limit}")]
    return []


def ids(context: Object, path: str, *names: str) -> list[FieldError]:
    text = f"must be between 0 and {HIGHEST_ID}, inclusive"
    given = ((name, context[name]) for name in names if context.get(name) is not None)
    return [invalid(f"{path}.{name}", value, text) for name, value in given if not 0 <= value <= HIGHEST_ID]


def seccomp(profile: Object | None, path: str) -> list[FieldError]:
    if profile is None:
        return []
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    allowed = ("Localhost", "RuntimeDefault", "Unconfined")
    errors: list[FieldError] = []
    if not kind:
        errors.append(FieldError("Required value", f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in allowed:
        errors.append(unsupported(f"{path}.type", kind, allowed))
    if kind == "Localhost":
        if local is None:
            text = "must be set when seccomp type is Localhost"
            return [*errors, FieldError("Required value", f"{path}.localhostProfile", text)]
        return errors + descending(local, f"{path}.localhostProfile")
    return errors


def _security(context: Object, path: str) -> list[FieldError]:
    errors = ids(context, path, "runAsUser", "runAsGroup")
    mount = context.get("procMount")
    if mount is not None and mount not in {"Default", "Unmasked"}:
        errors.append(unsupported(f"{path}.procMount", mount, ("Default", "Unmasked")))
    elif mount == "Unmasked":
        errors.append(invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    errors += seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False and context.get("privileged"):
        text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        errors.append(invalid(path, _shown_security(context), text))
    return errors


SECURITY_FIELDS = (
    "Capabilities", "Privileged", "SELinuxOptions", "WindowsOptions", "RunAsUser", "RunAsGroup", "RunAsNonRoot",
    "ReadOnlyRootFilesystem", "AllowPrivilegeEscalation", "ProcMount", "SeccompProfile", "AppArmorProfile",
)  # fmt: skip


def _shown_security(context: Object) -> Object:
    """The internal struct that the server prints."""
    names = {"SELinuxOptions": "seLinuxOptions"}
    return {name: context.get(names.get(name, name[0].lower() + name[1:])) for name in SECURITY_FIELDS}


def _living(one: Object, path: str, spec: Object) -> list[FieldError]:
    """Lifecycle and probes, of containers that go on running."""
    grace = spec.get("terminationGracePeriodSeconds")
    errors: list[FieldError] = []
    for name in ("postStart", "preStop"):
        handler = (one.get("lifecycle") or {}).get(name)
        if handler is not None:
            errors += _handler(handler, f"{path}.lifecycle.{name}", grace)
    for name in PROBES:
        probe = one.get(name)
        if probe is not None:
            errors += _probe(probe, f"{path}.{name}", grace)
            errors += _probe_of(name, probe, f"{path}.{name}")
    return errors


def _probe_of(name: str, probe: Object, path: str) -> list[FieldError]:
    if name == "readinessProbe":
        seconds = probe.get("terminationGracePeriodSeconds")
        text = "must not be set for readinessProbes"
        return [] if seconds is None else [invalid(f"{path}.terminationGracePeriodSeconds", seconds, text)]
    needed = probe.get("successThreshold", 0)
    return [] if needed == 1 else [invalid(f"{path}.successThreshold", needed, "must be 1")]


def _probe(probe: Object, path: str, grace: int | None) -> list[FieldError]:
    errors = _handler(probe, path, grace)
    fields = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
    errors += [invalid(f"{path}.{name}", probe[name], NEGATIVE) for name in fields if (probe.get(name) or 0) < 0]
    seconds = probe.get("terminationGracePeriodSeconds")
    if seconds is not None and seconds <= 0:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", seconds, "must be greater than 0"))
    return errors


def _handler(handler: Object, path: str, grace: int | None) -> list[FieldError]:
    given = [name for name in HANDLERS if handler.get(name) is not None]
    if not given:
        return [FieldError("Required value", path, "must specify a handler type")]
    first, here = handler[given[0]], f"{path}.{given[0]}"
    errors: list[FieldError] = []
    if given[0] == "exec" and not first.get("command"):
        errors.append(FieldError("Required value", f"{here}.command"))
    if given[0] == "httpGet" and not first.get("path"):
        errors.append(FieldError("Required value", f"{here}.path"))
    if given[0] in {"httpGet", "tcpSocket", "grpc"}:
        errors += port_errors(f"{here}.port", first.get("port", 0))
    if given[0] == "httpGet" and first.get("scheme", "") not in {"HTTP", "HTTPS"}:
        errors.append(unsupported(f"{here}.scheme", first.get("scheme", ""), ("HTTP", "HTTPS")))
    if given[0] == "sleep" and grace is not None and not 0 <= first.get("seconds", 0) <= grace:
        text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
        errors.append(invalid(here, first.get("seconds", 0), text))
    text = "may not specify more than 1 handler type"
    return errors + [FieldError("Forbidden", f"{path}.{name}", text) for name in given[1:]]
