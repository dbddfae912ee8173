"""What OVIM understands of a virtual machine that it did not make, and how it writes one that it has adopted. Pure (ADR 17).

The spec is kept as it was found and written as it was found, but for size and power: so what OVIM can't express stays.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core import quantities

Spec = Mapping[str, Any]
ALWAYS, HALTED = "Always", "Halted"
STRATEGIES = (ALWAYS, "RerunOnFailure", HALTED)  # `Manual` and `Once` leave it open whether it is meant to run
# Of a spec, what OVIM itself writes or counts; the rest stays as it is.
_KNOWN_DOMAIN = frozenset({"cpu", "memory", "devices"})
_KNOWN_TEMPLATE = frozenset({"domain", "volumes", "networks"})
_KNOWN_SPEC = frozenset({"runStrategy", "template"})
_KNOWN_DEVICES = frozenset({"disks", "interfaces"})


@dataclass(frozen=True)
class Volume:
    """A disk that keeps data: a DataVolume, or a claim without one. `name`: of the object in the cluster."""

    name: str
    is_claim: bool


@dataclass(frozen=True)
class Machine:
    """A spec as OVIM reads it. `unfit`: why it can't be adopted; `as_is`: what is not understood and stays."""

    cpu: int = 0
    memory_mib: int = 0
    strategy: str = ""
    volumes: tuple[Volume, ...] = ()
    unfit: tuple[str, ...] = ()
    as_is: tuple[str, ...] = ()
    claims: frozenset[str] = field(default=frozenset())  # every claim or volume it names, also to read only

    @property
    def powered_on(self) -> bool:
        return self.strategy != HALTED


def read(spec: Spec) -> Machine:
    """What there is to it. Never raises: what does not fit is in `unfit`."""
    template = (spec.get("template") or {}).get("spec") or {}
    domain = template.get("domain") or {}
    unfit = [*_unfit_spec(spec), *_unfit_devices(domain.get("devices") or {})]
    cpu = _cpu(spec, domain, unfit)
    memory = _memory(spec, domain, unfit)
    volumes = _volumes(template, domain, unfit)
    return Machine(
        cpu,
        memory,
        str(spec.get("runStrategy") or ""),
        volumes,
        tuple(unfit),
        tuple(_as_is(spec, template, domain)),
        claims_in(spec),
    )


def _unfit_spec(spec: Spec) -> Iterable[str]:
    if spec.get("running") is not None:
        yield "It is switched by spec.running, beside which spec.runStrategy can't be written: use that instead."
    elif spec.get("runStrategy") not in STRATEGIES:
        yield f"Its runStrategy is {spec.get('runStrategy')}: OVIM knows {', '.join(STRATEGIES)}."
    for name in ("instancetype", "preference"):
        if spec.get(name):
            yield f"Its size or devices come from spec.{name}, which OVIM can't count."


def _unfit_devices(devices: Spec) -> Iterable[str]:
    for name in ("hostDevices", "gpus"):
        if devices.get(name):
            yield f"It has {name}, which OVIM does not hand out."
    if any("sriov" in item for item in devices.get("interfaces") or ()):
        yield "It has an SR-IOV interface, which is a device of its host."


def _cpu(spec: Spec, domain: Spec, unfit: list[str]) -> int:
    """vCPUs as the guest sees them: cores × sockets × threads. Without any KubeVirt gives one, unless it is requested."""
    if spec.get("instancetype"):
        return 0
    if not domain.get("cpu"):
        resources = domain.get("resources") or {}
        if any("cpu" in (resources.get(name) or {}) for name in ("requests", "limits")):
            unfit.append("Its CPU is only said by domain.resources: say domain.cpu.cores.")
            return 0
    return counted_cpu(domain)


def domain_of(spec: Spec) -> Spec:
    found: Spec = spec["template"]["spec"]["domain"]
    return found


def counted_cpu(domain: Spec) -> int:
    cpu = domain.get("cpu") or {}
    return int(cpu.get("cores") or 1) * factor(domain)


def factor(domain: Spec) -> int:
    """vCPUs for each core."""
    cpu = domain.get("cpu") or {}
    return int(cpu.get("sockets") or 1) * int(cpu.get("threads") or 1)


def _memory(spec: Spec, domain: Spec, unfit: list[str]) -> int:
    if spec.get("instancetype"):
        return 0
    text = memory_text(domain)
    if not text:
        unfit.append("It does not say its memory: domain.memory.guest.")
        return 0
    try:
        return quantities.mebibytes(text)
    except quantities.NotExact as error:
        unfit.append(f"Its memory is no size that OVIM knows: {error}")
        return 0


def memory_text(domain: Spec) -> str:
    guest = (domain.get("memory") or {}).get("guest")
    return str(guest or ((domain.get("resources") or {}).get("requests") or {}).get("memory") or "")


def _volumes(template: Spec, domain: Spec, unfit: list[str]) -> tuple[Volume, ...]:
    order = {item["name"]: item.get("bootOrder") for item in (domain.get("devices") or {}).get("disks") or ()}
    found: list[tuple[float, int, Volume]] = []
    for place, item in enumerate(template.get("volumes") or ()):
        if "hostDisk" in item:
            unfit.append(f"Its volume {item['name']} is a file of a host.")
        name, is_claim = _kept(item)
        if name:
            found.append((order.get(item["name"]) or math.inf, place, Volume(name, is_claim)))
    if len({volume.name for _, _, volume in found}) < len(found):
        unfit.append("It has the same disk twice.")
    return tuple(volume for _, _, volume in sorted(found, key=lambda line: line[:2]))


def _kept(volume: Spec) -> tuple[str, bool]:
    """The name of what keeps its data, and whether that is a claim without a DataVolume."""
    if "dataVolume" in volume:
        return str(volume["dataVolume"]["name"]), False
    if "persistentVolumeClaim" in volume:
        return str(volume["persistentVolumeClaim"]["claimName"]), True
    return "", False


def claims_in(spec: Spec) -> frozenset[str]:
    """Every claim a machine names, also one that it only reads."""
    volumes = ((spec.get("template") or {}).get("spec") or {}).get("volumes") or ()
    read_only = ((item.get("ephemeral") or {}).get("persistentVolumeClaim") or {} for item in volumes)
    return frozenset(
        {name for item in volumes if (name := _kept(item)[0])}
        | {str(item["claimName"]) for item in read_only if "claimName" in item}
    )


def _as_is(spec: Spec, template: Spec, domain: Spec) -> Iterable[str]:
    """Paths of what OVIM neither writes nor counts."""
    at = "spec.template.spec"
    devices = domain.get("devices") or {}
    yield from (f"spec.{key}" for key in spec if key not in _KNOWN_SPEC)
    yield from (f"{at}.{key}" for key in template if key not in _KNOWN_TEMPLATE)
    yield from (f"{at}.domain.{key}" for key in domain if key not in _KNOWN_DOMAIN)
    yield from (f"{at}.domain.devices.{key}" for key in devices if key not in _KNOWN_DEVICES)
    yield from (f"{at}.networks[{item['name']}]" for item in template.get("networks") or () if "pod" not in item)
    yield from (f"{at}.volumes[{item['name']}]" for item in template.get("volumes") or () if not _kept(item)[0])


# --- writing ---------------------------------------------------------------------------------------------------------


def strategy_when_on(adopted: str) -> str:
    """How it was told to run when it was adopted; one that was halted runs always."""
    found = str(json.loads(adopted).get("runStrategy") or "")
    return ALWAYS if found in ("", HALTED) else found


def spec_of(adopted: str, *, cpu: int, memory_mib: int, strategy: str) -> dict[str, Any]:
    """The spec as it was found, of this size and power. What is as it was is written as it was, to the letter."""
    spec: dict[str, Any] = json.loads(adopted) | {"runStrategy": strategy}
    domain = spec["template"]["spec"]["domain"]
    if cpu != counted_cpu(domain):
        domain["cpu"] = (domain.get("cpu") or {}) | {"cores": cpu // factor(domain)}
    if memory_mib != quantities.mebibytes(memory_text(domain)):
        if (domain.get("memory") or {}).get("guest"):
            domain["memory"]["guest"] = f"{memory_mib}Mi"
        else:
            domain["resources"]["requests"]["memory"] = f"{memory_mib}Mi"
    return spec


def without_nulls(value: Any) -> Any:
    """As it is sent: a field that is null is nobody's. Inside lists, which are compared as a whole, nothing is left out."""
    if isinstance(value, Mapping):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value
