"""Pods, and the pods that workloads make from their templates."""

from __future__ import annotations

import re
from typing import Any

from clusters.sandbox import quantity, usage
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import (
    key_problems,
    label_problems,
    labels_errors,
    quoted,
    subdomain_problems,
)
from clusters.sandbox.rules_addresses import address_errors, unsupported
from clusters.sandbox.rules_containers import common, containers, ids, init_containers, invalid, resources, seccomp
from clusters.sandbox.rules_placement import affinity, spread, tolerations
from clusters.sandbox.rules_volumes import volumes
from clusters.sandbox.store import Store

Object = dict[str, Any]
RESTARTS = ("Always", "OnFailure", "Never")
DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION = ("PreemptLowerPriority", "Never")
SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?\Z")
SYSCTL_TEXT = r"must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"  # noqa: E501
SEARCH = re.compile(r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*\Z")
SEARCH_TEXT = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"  # noqa: E501
LONGEST = 2**31 - 1  # seconds
EPHEMERAL = {
    "name", "image", "command", "args", "workingDir", "env", "envFrom", "volumeMounts", "volumeDevices",
    "resources", "resizePolicy", "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy",
    "securityContext", "stdin", "stdinOnce", "tty", "targetContainerName",
}  # fmt: skip
SETTLED = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def pod(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors = pod_spec(spec, "spec")
    for field in ("containers", "initContainers"):
        for i, one in enumerate(spec.get(field) or ()):
            errors += _trimmed(one, f"spec.{field}[{i}]")
    if old is not None:
        return errors + _kept(spec, old["spec"])
    if spec.get("ephemeralContainers"):
        errors.append(FieldError("Forbidden", "spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        text = "cannot be set until all schedulingGates have been cleared"
        errors.append(FieldError("Forbidden", "spec.nodeName", text))
    return errors


def part(new: Object, old: Object, subresource: str) -> list[FieldError]:
    """A pod whose ephemeral containers or sizes change: of the former, none that is there may go or become another."""
    spec, path = new["spec"], "spec.ephemeralContainers"
    errors = pod_spec(spec, "spec")
    if subresource != "ephemeralcontainers":
        return errors
    by_name = {one.get("name"): one for one in spec.get("ephemeralContainers") or ()}
    for one in old["spec"].get("ephemeralContainers") or ():
        name = one["name"]
        if name not in by_name:
            text = f"existing ephemeral containers {quoted(name)} may not be removed\n"
            errors.append(FieldError("Forbidden", path, text))
        elif by_name[name] != one:
            text = f"existing ephemeral containers {quoted(name)} may not be changed\n@@ -1,1 +1,1 @@\n"
            errors.append(FieldError("Forbidden", path, text))
    return errors


def _pictured(one: Object, path: str) -> list[FieldError]:
    """An update looks at images once more."""
    return _trimmed(one, path) if one.get("image") else [FieldError("Required value", f"{path}.image")]


def _trimmed(one: Object, path: str) -> list[FieldError]:
    image = one.get("image", "")
    if image == image.strip():
        return []
    return [invalid(f"{path}.image", image, "must not have leading or trailing whitespace")]


def template(found: Object, path: str) -> list[FieldError]:
    """The template of a workload's pods."""
    errors = labels_errors((found.get("metadata") or {}).get("labels") or {}, f"{path}.labels")
    spec = found.get("spec") or {}
    errors += pod_spec(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        errors.append(FieldError("Forbidden", f"{path}.spec.ephemeralContainers", text))
    return errors


def pod_spec(spec: Object, path: str) -> list[FieldError]:
    sound, errors = volumes(spec, path)
    errors += containers(spec, path, sound) + init_containers(spec, path, sound)
    errors += ephemeral_containers(spec, path, sound)
    if spec.get("resources") is not None:
        errors += _pod_resources(spec, f"{path}.resources")
    if spec.get("hostNetwork"):
        errors += _host_ports(spec, path)
    policy, dns = spec.get("restartPolicy", ""), spec.get("dnsPolicy", "")
    if policy not in RESTARTS:
        errors.append(unsupported(f"{path}.restartPolicy", policy, RESTARTS))
    if dns not in DNS:
        errors.append(unsupported(f"{path}.dnsPolicy", dns, DNS))
    errors += labels_errors(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    errors += _security(spec.get("securityContext") or {}, f"{path}.securityContext")
    errors += affinity(spec.get("affinity"), f"{path}.affinity") + _dns(spec, f"{path}.dnsConfig")
    for i, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType", "")
        here = f"{path}.readinessGates[{i}].conditionType"
        errors += [invalid(here, kind, why) for why in key_problems(kind)]
    errors += _gates(spec, f"{path}.schedulingGates")
    errors += spread(spec.get("topologySpreadConstraints") or [], f"{path}.topologySpreadConstraints")
    if spec.get("hostUsers") is False:
        shared = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
        errors += [FieldError("Forbidden", f"{path}.{name}", "when `hostUsers` is false") for name in shared]
    return errors + _names(spec, path) + _rest(spec, path)


def _host_ports(spec: Object, path: str) -> list[FieldError]:
    text = "must match `containerPort` when `hostNetwork` is true"
    return [
        invalid(f"{path}.containers[{i}].ports[{j}].hostPort", port.get("hostPort", 0), text)
        for i, one in enumerate(spec.get("containers") or ())
        for j, port in enumerate(one.get("ports") or ())
        if (port.get("hostPort") or path == "spec") and port.get("hostPort") != port.get("containerPort")
    ]


def ephemeral_containers(spec: Object, path: str, sound: dict[str, Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    others = {one.get("name", "") for field in ("containers", "initContainers") for one in spec.get(field) or ()}
    seen = set(others)
    for i, one in enumerate(spec.get("ephemeralContainers") or ()):
        here, name, target = f"{path}.ephemeralContainers[{i}]", one.get("name", ""), one.get("targetContainerName")
        errors += common(one, here, sound) + _trimmed(one, here)
        if name in seen:
            errors.append(FieldError("Duplicate value", f"{here}.name", quoted(name)))
        seen.add(name)
        if target and target not in others:
            errors.append(FieldError("Not found", f"{here}.targetContainerName", quoted(target)))
        text = "cannot be set for an Ephemeral Container"
        given = [field for field in one if field not in EPHEMERAL or (field == "resources" and one[field])]
        errors += [FieldError("Forbidden", f"{here}.{field}", text) for field in given]
    return errors


def _pod_resources(spec: Object, path: str) -> list[FieldError]:
    """Amounts of the pod as a whole, and its containers within them."""
    wanted = spec["resources"]
    errors = resources(wanted, path, pod_wide=True)
    total = usage.container_total(spec, "requests")
    for name, value in (wanted.get("requests") or {}).items():
        if name in total and total[name].number > quantity.parse(value):
            text = f"must be greater than or equal to aggregate container requests of {total[name]}"
            errors.append(invalid(f"{path}.requests[{name}]", value, text))
    limits = wanted.get("limits") or {}
    for i, one in enumerate(spec.get("containers") or ()):
        for name, value in ((one.get("resources") or {}).get("limits") or {}).items():
            if name in limits and quantity.parse(value) > quantity.parse(limits[name]):
                text = f"must be less than or equal to pod limits of {limits[name]}"
                errors.append(invalid(f"{path}.containers[{i}][{name}].limits", value, text))
    return errors


def _security(context: Object, path: str) -> list[FieldError]:
    errors = ids(context, path, "fsGroup", "runAsUser", "runAsGroup")
    for i, group in enumerate(context.get("supplementalGroups") or ()):
        errors += [
            FieldError("Invalid value", f"{path}.supplementalGroups[{i}]", error.detail)
            for error in ids({"group": group}, path, "group")
        ]
    seen: set[str] = set()
    for i, one in enumerate(context.get("sysctls") or ()):
        here, name = f"{path}.sysctls[{i}].name", one.get("name", "")
        if not name:
            errors.append(FieldError("Required value", here))
        elif len(name) > 253 or not SYSCTL.match(name):
            errors.append(invalid(here, name, SYSCTL_TEXT))
        elif name in seen:
            errors.append(FieldError("Duplicate value", here, quoted(name)))
        seen.add(name)
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in {"Always", "OnRootMismatch"}:
        errors.append(unsupported(f"{path}.fsGroupChangePolicy", policy, ("Always", "OnRootMismatch")))
    return errors + seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")


def _dns(spec: Object, path: str) -> list[FieldError]:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [FieldError("Required value", path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [FieldError("Required value", f"{path}.nameservers", text)]
    config = config or {}
    servers = config.get("nameservers") or []
    errors = [error for i, ip in enumerate(servers) for error in address_errors(f"{path}.nameservers[{i}]", ip)]
    if len(servers) > 3:
        errors.insert(0, invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers"))
    for i, search in enumerate(config.get("searches") or ()):
        if search != "." and not SEARCH.match(search.removesuffix(".")):
            errors.append(invalid(f"{path}.searches[{i}]", search.removesuffix("."), SEARCH_TEXT))
    for i, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(FieldError("Required value", f"{path}.options[{i}]", "must not be empty"))
    return errors


def _gates(spec: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, gate in enumerate(spec.get("schedulingGates") or ()):
        name = gate.get("name", "")
        errors += [invalid(f"{path}[{i}]", name, why) for why in key_problems(name)]
        if name in seen:
            errors.append(FieldError("Duplicate value", f"{path}[{i}]", quoted(name)))
        seen.add(name)
    return errors


def _names(spec: Object, path: str) -> list[FieldError]:
    """Names of what the pod uses, and the seconds it may last."""
    errors: list[FieldError] = []
    for field in ("serviceAccountName", "nodeName"):
        name = spec.get(field)
        errors += [invalid(f"{path}.{field}", name, why) for why in subdomain_problems(name)] if name else []
    seconds = spec.get("activeDeadlineSeconds")
    if seconds is not None and not 1 <= seconds <= LONGEST:
        text = f"must be between 1 and {LONGEST}, inclusive"
        errors.append(invalid(f"{path}.activeDeadlineSeconds", seconds, text))
    for field in ("hostname", "subdomain"):
        name = spec.get(field)
        errors += [invalid(f"{path}.{field}", name, why) for why in label_problems(name)] if name else []
    return errors


def _rest(spec: Object, path: str) -> list[FieldError]:
    errors = tolerations(spec.get("tolerations") or [], f"{path}.tolerations")
    for i, alias in enumerate(spec.get("hostAliases") or ()):
        here = f"{path}.hostAliases[{i}]"
        errors += address_errors(f"{here}.ip", alias.get("ip", ""))
        for j, name in enumerate(alias.get("hostnames") or ()):
            errors += [invalid(f"{here}.hostnames[{j}]", name, why) for why in subdomain_problems(name)]
    for field in ("priorityClassName", "runtimeClassName"):
        name = spec.get(field)
        errors += [invalid(f"{path}.{field}", name, why) for why in subdomain_problems(name)] if name else []
    policy, system = spec.get("preemptionPolicy"), spec.get("os")
    if policy is not None and policy not in PREEMPTION:
        errors.append(unsupported(f"{path}.preemptionPolicy", policy, PREEMPTION))
    if system is not None and not system.get("name"):
        errors.append(FieldError("Required value", f"{path}.os.name"))
    elif system is not None and system["name"] not in {"linux", "windows"}:
        errors.append(unsupported(f"{path}.os", system["name"], ("linux", "windows")))
    return errors


def _kept(spec: Object, before: Object) -> list[FieldError]:
    """What of a pod is settled once it is made. A node is given to it once, here by an update of the scheduler."""
    for field in ("containers", "initContainers"):
        if len(spec.get(field) or ()) != len(before.get(field) or ()):
            return [FieldError("Forbidden", f"spec.{field}", "pod updates may not add or remove containers")]
    again = [
        error
        for field in ("containers", "initContainers")
        for i, one in enumerate(spec.get(field) or ())
        for error in _pictured(one, f"spec.{field}[{i}]")
    ]
    errors, stop = _deadline(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    errors = again + errors
    if stop:
        return errors
    errors += _tolerated(spec, before)
    known = {gate["name"] for gate in before.get("schedulingGates") or ()}
    for i, gate in enumerate(spec.get("schedulingGates") or ()):
        if gate["name"] not in known:
            text = f"only deletion is allowed, but found new scheduling gate '{gate['name']}'"
            errors.append(FieldError("Forbidden", f"spec.schedulingGates[{i}].name", text))
    free = {"tolerations", "schedulingGates", *(() if before.get("nodeName") else ("nodeName",))}
    free |= {"activeDeadlineSeconds"}
    if before.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        free.add("terminationGracePeriodSeconds")
    now, was = (
        {
            **{name: value for name, value in side.items() if name not in free and value not in ([], {})},
            **{name: _imageless(side.get(name)) for name in ("containers", "initContainers")},
        }
        for side in (spec, before)
    )
    if now != was:
        # The real server adds a printed diff of its internal structs below the sentence.
        errors.append(FieldError("Forbidden", "spec", SETTLED + "\n@@ -1,1 +1,1 @@\n"))
    return errors


def _deadline(wanted: int | None, before: int | None) -> tuple[list[FieldError], bool]:
    """A deadline may come, and come closer; the second answer: whether nothing else is looked at."""
    path = "spec.activeDeadlineSeconds"
    if wanted is None:
        text = "must not update from a positive integer to nil value"
        return ([] if before is None else [invalid(path, None, text)]), False
    if not 0 <= wanted <= LONGEST:
        return [invalid(path, wanted, f"must be between 0 and {LONGEST}, inclusive")], True
    if before is not None and before < wanted:
        return [invalid(path, wanted, "must be less than or equal to previous value")], True
    return [], False


def _tolerated(spec: Object, before: Object) -> list[FieldError]:
    path, now = "spec.tolerations", spec.get("tolerations") or []
    timeless = [{name: value for name, value in one.items() if name != "tolerationSeconds"} for one in now]
    for one in before.get("tolerations") or ():
        if {name: value for name, value in one.items() if name != "tolerationSeconds"} not in timeless:
            text = "existing toleration can not be modified except its tolerationSeconds"
            return [FieldError("Forbidden", path, text)]
    return tolerations(now, path)


def _imageless(found: Any) -> list[Object]:
    return [{name: value for name, value in one.items() if name != "image"} for one in found or ()]
