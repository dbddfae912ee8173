"""Instance types and preferences: finding, applying to a VM's template, conflicts and requirements.

Sources: facts/kubernetes.md section 10, k8s-transcript/14 and 20. A look-up that fails is only logged by KubeVirt.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from clusters.sandbox.kubevirt.causes import NOT_FOUND, NOT_SUPPORTED, Cause, undecodable
from clusters.sandbox.kubevirt.defaults import quantity
from clusters.sandbox.kubevirt.paths import SPEC, TEMPLATE_SPEC, Path

Object = dict[str, Any]
Look = Callable[[str, str | None, str], Object | None]

KINDS = {
    "": "virtualmachinecluster{}s",
    "virtualmachineclusterinstancetype": "virtualmachineclusterinstancetypes",
    "virtualmachineclusterinstancetypes": "virtualmachineclusterinstancetypes",
    "virtualmachineinstancetype": "virtualmachineinstancetypes",
    "virtualmachineinstancetypes": "virtualmachineinstancetypes",
    "virtualmachineclusterpreference": "virtualmachineclusterpreferences",
    "virtualmachineclusterpreferences": "virtualmachineclusterpreferences",
    "virtualmachinepreference": "virtualmachinepreferences",
    "virtualmachinepreferences": "virtualmachinepreferences",
}


def find(vm: Object, word: str, look: Look) -> Object | None:
    """The spec of the VM's instancetype or preference (`word`), or None when it has none or there is none."""
    matcher = vm["spec"].get(word) or {}
    if not matcher.get("name"):
        return None
    plural = KINDS.get(str(matcher.get("kind", "")).lower())
    if plural is None or word not in plural.format(word):
        return None
    resource = plural.format(word) + ".instancetype.kubevirt.io"
    namespace = None if "cluster" in resource else vm["metadata"].get("namespace")
    found = look(resource, namespace, matcher["name"])
    return None if found is None else dict(found["spec"])


def matcher_causes(vm: Object, word: str) -> list[Cause]:
    """What the mutator says about spec.instancetype or spec.preference itself."""
    matcher = vm["spec"].get(word)
    if matcher is None:
        return []
    path, causes = SPEC.child(word), []
    if not matcher.get("name") and not matcher.get("inferFromVolume"):
        title = word.capitalize() + "Matcher"
        message = f"Either Name or InferFromVolume should be provided within the {title}"
        causes.append(Cause(message, str(path), NOT_FOUND))
    if matcher.get("inferFromVolume"):
        for key in ("name", "kind"):
            if matcher.get(key):
                message = f"{key.capitalize()} already set, should be cleared before setting inferFromVolume"
                causes.append(Cause(message, str(path.child(key)), NOT_SUPPORTED))
    policy = matcher.get("inferFromVolumeFailurePolicy")
    if policy is not None and policy not in ("Ignore", "Reject"):
        message = f"Invalid value '{policy}' for InferFromVolumeFailurePolicy"
        causes.append(Cause(message, str(path.child("inferFromVolumeFailurePolicy"))))
    return causes


def infer(vm: Object, word: str, look: Look) -> None:
    """Replaces inferFromVolume by the name and kind the volume's labels give, or raises what the mutator says."""
    matcher = vm["spec"].get(word) or {}
    volume_name = matcher.get("inferFromVolume")
    if not volume_name:
        return
    volumes = vm["spec"]["template"].get("spec", {}).get("volumes", [])
    volume = next((item for item in volumes if item["name"] == volume_name), None)
    if volume is None:
        raise undecodable(f"unable to find volume {volume_name} to infer defaults")
    labels = _volume_labels(vm, volume, look)
    if labels is None:
        raise undecodable(f"unable to infer defaults from volume {volume_name} as type is not supported")
    name = labels.get(f"instancetype.kubevirt.io/default-{word}")
    if name is None:
        if matcher.get("inferFromVolumeFailurePolicy") == "Ignore":
            del vm["spec"][word]
            return
        label = f"instancetype.kubevirt.io/default-{word}"
        raise undecodable(f"unable to find required {label} label on the volume")
    if matcher.get("inferFromVolumeFailurePolicy") == "Ignore" and word == "instancetype":
        vm["spec"]["template"]["spec"]["domain"].pop("memory", None)
    kind = labels.get(f"instancetype.kubevirt.io/default-{word}-kind")
    vm["spec"][word] = {"name": name} | ({"kind": kind} if kind else {})


def _volume_labels(vm: Object, volume: Object, look: Look) -> dict[str, str] | None:
    namespace = vm["metadata"].get("namespace")
    if "persistentVolumeClaim" in volume:
        claim = look("persistentvolumeclaims", namespace, volume["persistentVolumeClaim"]["claimName"])
        return dict((claim or {}).get("metadata", {}).get("labels", {}))
    if "dataVolume" not in volume:
        return None
    name = volume["dataVolume"]["name"]
    templates = vm["spec"].get("dataVolumeTemplates", [])
    template = next((item for item in templates if item.get("metadata", {}).get("name") == name), None)
    found = template or look("datavolumes.cdi.kubevirt.io", namespace, name) or {}
    labels = dict(found.get("metadata", {}).get("labels") or {})
    source = found.get("spec", {}).get("sourceRef") or {}
    if source.get("kind") == "DataSource":
        origin = look("datasources.cdi.kubevirt.io", source.get("namespace") or namespace, source["name"]) or {}
        labels = dict(origin.get("metadata", {}).get("labels") or {}) | labels
    origin_claim = found.get("spec", {}).get("source", {}).get("pvc")
    if origin_claim:
        claim = look("persistentvolumeclaims", origin_claim["namespace"], origin_claim["name"]) or {}
        labels = dict(claim.get("metadata", {}).get("labels") or {}) | labels
    return labels


def topology(preference: Object | None) -> str:
    """The preferred CPU topology in its new spelling; sockets when nothing says otherwise."""
    wanted = ((preference or {}).get("cpu") or {}).get("preferredCPUTopology") or "sockets"
    return str(wanted).removeprefix("prefer").lower()


def apply(instancetype: Object | None, preference: Object | None, spec: Object) -> list[Cause]:
    """Writes the instance type into a template's spec, in place; conflicts come back and nothing is written."""
    domain = spec.setdefault("domain", {})
    if instancetype is None:
        return []
    conflicts = [*_cpu_conflicts(instancetype, domain), *_memory_conflicts(instancetype, domain)]
    devices = domain.setdefault("devices", {})
    lists = ("gpus", "hostDevices")
    conflicts += [TEMPLATE_SPEC.child("domain", "devices", k) for k in lists if instancetype.get(k) and devices.get(k)]
    if conflicts:
        return [Cause(f"VM field(s) {path} conflicts with selected instance type", str(path)) for path in conflicts]
    _write_cpu(instancetype["cpu"], topology(preference), domain.setdefault("cpu", {}))
    _write_memory(instancetype["memory"], domain)
    for key in lists:
        if instancetype.get(key):
            devices[key] = deepcopy(instancetype[key])
    for key in ("ioThreadsPolicy", "ioThreads", "launchSecurity"):
        if key in instancetype:
            domain.setdefault(key, deepcopy(instancetype[key]))
    return []


def _write_memory(wanted: Object, domain: Object) -> None:
    memory = domain.setdefault("memory", {})
    memory["guest"] = wanted["guest"]
    for key in ("hugepages", "maxGuest"):
        if key in wanted:
            memory[key] = deepcopy(wanted[key])
    overcommit = wanted.get("overcommitPercent", 0)
    if overcommit:
        requests = domain.setdefault("resources", {}).setdefault("requests", {})
        requests["memory"] = str(int(quantity(memory["guest"]) * (100 - overcommit) / 100))


def _cpu_conflicts(instancetype: Object, domain: Object) -> list[Path]:
    resources, cpu = domain.get("resources") or {}, domain.get("cpu") or {}
    base = TEMPLATE_SPEC.child("domain")
    kinds = ("requests", "limits")
    found = [base.child("resources", kind, "cpu") for kind in kinds if "cpu" in (resources.get(kind) or {})]
    found += [base.child("cpu", name) for name in ("sockets", "cores", "threads") if cpu.get(name)]
    if cpu.get("model") and instancetype["cpu"].get("model"):
        found.append(base.child("cpu", "model"))
    return found


def _memory_conflicts(instancetype: Object, domain: Object) -> list[Path]:
    resources, memory = domain.get("resources") or {}, domain.get("memory") or {}
    base = TEMPLATE_SPEC.child("domain")
    if "guest" in memory:
        return [base.child("memory", "guest")]
    for key in ("hugepages", "maxGuest"):
        if key in memory and key in instancetype["memory"]:
            return [base.child("memory", key)]
    for kind in ("requests", "limits"):
        if "memory" in (resources.get(kind) or {}):
            return [base.child("resources", kind, "memory")]
    return []


def _write_cpu(wanted: Object, spread: str, cpu: Object) -> None:
    cpu |= {"cores": 1, "sockets": 1, "threads": 1}
    guest = int(wanted.get("guest", 1))
    if spread in ("cores", "threads"):
        cpu[spread] = guest
    elif spread == "spread":
        cpu |= {"cores": 2, "sockets": max(1, guest // 2)} if guest > 1 else {}
    else:
        cpu["sockets"] = guest
    for source, target in (("model", "model"), ("maxSockets", "maxSockets")):
        if wanted.get(source) is not None:
            cpu[target] = wanted[source]
    if wanted.get("dedicatedCPUPlacement") is not None:
        cpu["dedicatedCpuPlacement"] = wanted["dedicatedCPUPlacement"]
    for key in ("isolateEmulatorThread", "numa", "realtime"):
        if wanted.get(key) is not None:
            cpu[key] = deepcopy(wanted[key])


def unmet(instancetype: Object | None, preference: Object | None, spec: Object) -> list[Cause]:
    """The preference's requirements this VM does not meet; KubeVirt reports the first only."""
    wanted = (preference or {}).get("requirements") or {}
    short = _cpu_short(instancetype, wanted, topology(preference), spec) or _memory_short(instancetype, wanted, spec)
    if short is None:
        return []
    message, field = short
    return [Cause(f"failure checking preference requirements: {message}", field, NOT_FOUND)]


def _cpu_short(instancetype: Object | None, wanted: Object, spread: str, spec: Object) -> tuple[str, str] | None:
    need = (wanted.get("cpu") or {}).get("guest", 0)
    if not need:
        return None
    if instancetype is not None:
        have = instancetype["cpu"].get("guest", 0)
        text = f"insufficient CPU resources of {have} vCPU provided by instance type, preference requires {need} vCPU"
        return (text, "spec.instancetype") if have < need else None
    cpu = spec["domain"].get("cpu") or {}
    names = (spread,) if spread in ("sockets", "cores", "threads") else ("cores", "sockets", "threads")
    have = 1
    for name in names:
        have *= cpu.get(name, 0)
    if have >= need:
        return None
    words = names[0] if len(names) == 1 else "cores, sockets and threads"
    text = (
        f"insufficient CPU resources of {have} vCPU provided by VirtualMachine, preference requires {need} vCPU "
        f"provided as {words}"
    )
    return text, ", ".join(f"{TEMPLATE_SPEC}.domain.cpu.{name}" for name in names)


def _memory_short(instancetype: Object | None, wanted: Object, spec: Object) -> tuple[str, str] | None:
    need = (wanted.get("memory") or {}).get("guest")
    if need is None:
        return None
    have = (spec["domain"].get("memory") or {}).get("guest")
    if have is None:
        have = instancetype["memory"]["guest"] if instancetype else "0"
    if quantity(have) >= quantity(need):
        return None
    source, field = ("VirtualMachine", f"{TEMPLATE_SPEC}.domain.memory")
    if instancetype is not None:
        source, field = "instance type", "spec.instancetype"
    return f"insufficient Memory resources of {have} provided by {source}, preference requires {need}", field
