"""The series KubeVirt and CDI expose (facts/kubevirt.md section 4.6), in Prometheus' text format.

They are read where a real cluster has them: through the API server's proxy to the services of the two operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clusters.sandbox import errors
from clusters.sandbox.cdi.claims import size_of
from clusters.sandbox.clock import FORMAT
from clusters.sandbox.kubevirt.defaults import quantity
from clusters.sandbox.kubevirt.guest_disks import file_systems
from clusters.sandbox.kubevirt.launcher import claims
from clusters.sandbox.kubevirt.launcher_resources import guest_memory, vcpus
from clusters.sandbox.kubevirt.load import Load
from clusters.sandbox.kubevirt.vmi_status import launcher_overhead
from clusters.sandbox.wire import Answer

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster, SubresourceCall

Object = dict[str, Any]
Sample = tuple[str, dict[str, str], float]
VMS, VMIS = "virtualmachines.kubevirt.io", "virtualmachineinstances.kubevirt.io"
VOLUMES, CRONS = "datavolumes.cdi.kubevirt.io", "dataimportcrons.cdi.kubevirt.io"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
SERVICES = (("kubevirt", "kubevirt-prometheus-metrics"), ("cdi", "cdi-prometheus-metrics"))
GROUPS = {
    "Running": "running",
    "Paused": "running",
    "Migrating": "migrating",
    "Stopped": "non_running",
    "Terminating": "non_running",
    "Starting": "starting",
    "Provisioning": "starting",
    "WaitingForVolumeBinding": "starting",
    "Stopping": "non_running",
}
KINDS = ("starting", "running", "migrating", "non_running", "error")


class Prometheus:
    """Answers GET …/services/<scheme>:<name>:<port>/proxy/metrics."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.pages: dict[tuple[str, str], Callable[[], Iterator[Sample]]] = {
            SERVICES[0]: self.kubevirt,
            SERVICES[1]: self.cdi,
        }
        for namespace, name in SERVICES:
            self._plant(namespace, name)
        cluster.register_subresource("services", "proxy", self.answer)

    def _plant(self, namespace: str, name: str) -> None:
        if self.cluster.get("namespaces", None, namespace) is None:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            self.cluster.create("namespaces", body, manager="virt-operator")
        if self.cluster.get("services", namespace, name) is None:
            labels = {"prometheus.kubevirt.io" if namespace == "kubevirt" else "prometheus.cdi.kubevirt.io": "true"}
            port = {"name": "metrics", "port": 443, "protocol": "TCP", "targetPort": "metrics"}
            service = {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": namespace, "labels": labels},
                "spec": {"selector": labels, "ports": [port], "type": "ClusterIP"},
            }
            self.cluster.create("services", service, manager="virt-operator")

    def answer(self, call: SubresourceCall) -> Answer:
        parts = call.name.split(":")
        name = parts[1] if len(parts) > 1 else parts[0]
        page = self.pages.get((call.namespace or "", name))
        if page is None:
            text = f'no endpoints available for service "{call.name}"'
            raise errors.error(503, "ServiceUnavailable", text, {})
        if call.method != "GET" or call.rest != "metrics":
            return Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")
        return Answer(200, exposition(page()).encode(), TEXT)

    # pages

    def kubevirt(self) -> Iterator[Sample]:
        for vm in self.cluster.list(VMS):
            yield from self._machine(vm)
        for vmi in self.cluster.list(VMIS):
            yield from self._instance(vmi)

    def _machine(self, vm: Object) -> Iterator[Sample]:
        meta, spec, status = vm["metadata"], vm["spec"]["template"].get("spec") or {}, vm.get("status", {})
        who = {"name": meta["name"], "namespace": meta["namespace"]}
        shown = status.get("printableStatus", "Stopped")
        group = GROUPS.get(shown, "error")
        ready: Object = next((item for item in status.get("conditions") or [] if item["type"] == "Ready"), {})
        since = _seconds(ready.get("lastTransitionTime") or meta["creationTimestamp"])
        for kind in KINDS:
            yield f"kubevirt_vm_{kind}_status_last_transition_timestamp_seconds", who, since if kind == group else 0.0
        labels = who | {
            "status": _snake(shown),
            "status_group": group,
            "instance_type": str((vm["spec"].get("instancetype") or {}).get("name", "<none>")),
            "preference": str((vm["spec"].get("preference") or {}).get("name", "<none>")),
            "machine_type": str((spec.get("domain", {}).get("machine") or {}).get("type", "")),
            "os": "<none>",
            "workload": "<none>",
            "flavor": "<none>",
        }
        yield "kubevirt_vm_info", labels, 1.0
        yield "kubevirt_vm_create_date_timestamp_seconds", who, _seconds(meta["creationTimestamp"])
        yield from self._resources(who, spec.get("domain") or {})
        for volume, claim in claims(spec).items():
            found = self.cluster.get("persistentvolumeclaims", meta["namespace"], claim)
            if found is not None:
                disk = {
                    "persistentvolumeclaim": claim,
                    "volume_mode": found["spec"].get("volumeMode", "Filesystem"),
                    "device": volume,
                }
                yield "kubevirt_vm_disk_allocated_size_bytes", who | disk, float(size_of(found))

    def _resources(self, who: dict[str, str], domain: Object) -> Iterator[Sample]:
        guest = quantity((domain.get("memory") or {}).get("guest"))
        if guest:
            labels = who | {"resource": "memory", "unit": "bytes", "source": "guest"}
            yield "kubevirt_vm_resource_requests", labels, float(guest)
        cpu = domain.get("cpu") or {}
        for unit in ("cores", "threads", "sockets"):
            if cpu.get(unit):
                labels = who | {"resource": "cpu", "unit": unit, "source": "domain"}
                yield "kubevirt_vm_resource_requests", labels, float(cpu[unit])
        for side, metric in (("requests", "kubevirt_vm_resource_requests"), ("limits", "kubevirt_vm_resource_limits")):
            for unit, value in ((domain.get("resources") or {}).get(side) or {}).items():
                if unit in ("cpu", "memory"):
                    labels = who | {"resource": unit, "unit": "bytes" if unit == "memory" else "cores"}
                    source = {"source": "domain" if unit == "memory" else "requests"} if side == "requests" else {}
                    yield metric, labels | source, float(quantity(value))

    def _instance(self, vmi: Object) -> Iterator[Sample]:
        meta, status = vmi["metadata"], vmi.get("status", {})
        who = {"node": status.get("nodeName", ""), "namespace": meta["namespace"], "name": meta["name"]}
        guest = status.get("guestOSInfo") or {}
        labels = who | {
            "phase": str(status.get("phase", "")).lower(),
            "guest_os_name": guest.get("name", ""),
            "guest_os_version_id": guest.get("versionId", ""),
            "guest_os_kernel_release": guest.get("kernelRelease", ""),
            "guest_os_machine": guest.get("machine", ""),
            "evictable": "true" if _says(vmi, "LiveMigratable") else "false",
        }
        yield "kubevirt_vmi_info", labels, 1.0
        place = {"namespace": meta["namespace"], "name": meta["name"]}
        yield "kubevirt_vmi_launcher_memory_overhead_bytes", place, float(launcher_overhead(vmi))
        for console in ("vnc", "console"):
            yield f"kubevirt_{console}_active_connections", {"namespace": meta["namespace"], "vmi": meta["name"]}, 0.0
        if status.get("phase") == "Running":
            yield from self._measured(vmi, who)

    def _measured(self, vmi: Object, who: dict[str, str]) -> Iterator[Sample]:
        load, memory = Load(vmi), float(guest_memory(vmi["spec"]))
        seconds, used = load.cpu_seconds(), load.memory_used()
        yield "kubevirt_vmi_cpu_usage_seconds_total", who, seconds
        yield "kubevirt_vmi_cpu_user_usage_seconds_total", who, seconds * 0.7
        yield "kubevirt_vmi_cpu_system_usage_seconds_total", who, seconds * 0.3
        for number in range(vcpus(vmi["spec"])):
            labels = who | {"id": str(number), "state": "running"}
            yield "kubevirt_vmi_vcpu_seconds_total", labels, seconds / vcpus(vmi["spec"])
        yield "kubevirt_vmi_memory_domain_bytes", who, memory
        yield "kubevirt_vmi_memory_available_bytes", who, memory * 0.97
        yield "kubevirt_vmi_memory_usable_bytes", who, max(0.0, memory * 0.97 - used)
        yield "kubevirt_vmi_memory_unused_bytes", who, max(0.0, (memory * 0.97 - used) * 0.6)
        yield "kubevirt_vmi_memory_cached_bytes", who, max(0.0, (memory * 0.97 - used) * 0.4)
        yield "kubevirt_vmi_memory_resident_bytes", who, used + launcher_overhead(vmi) / 2
        for interface in vmi.get("status", {}).get("interfaces") or []:
            labels = who | {"interface": interface["name"]}
            for way, rate in (("receive", 400_000.0), ("transmit", 150_000.0)):
                total = load.counter(f"net/{interface['name']}/{way}", rate)
                yield f"kubevirt_vmi_network_{way}_bytes_total", labels, float(total)
                yield f"kubevirt_vmi_network_{way}_packets_total", labels, float(total // 900)
                yield f"kubevirt_vmi_network_{way}_errors_total", labels, 0.0
                yield f"kubevirt_vmi_network_{way}_packets_dropped_total", labels, 0.0
        yield from self._disks(vmi, who, load)

    def _disks(self, vmi: Object, who: dict[str, str], load: Load) -> Iterator[Sample]:
        for volume in vmi.get("status", {}).get("volumeStatus") or []:
            labels = who | {"drive": volume["target"]}
            for way, rate in (("read", 2_000_000.0), ("write", 900_000.0)):
                total = load.counter(f"disk/{volume['name']}/{way}", rate)
                yield f"kubevirt_vmi_storage_{way}_traffic_bytes_total", labels, float(total)
                yield f"kubevirt_vmi_storage_iops_{way}_total", labels, float(total // 16_384)
                yield f"kubevirt_vmi_storage_{way}_times_seconds_total", labels, total / 16_384 * 0.0004
            flushes = load.counter(f"disk/{volume['name']}/write", 12.0)
            yield "kubevirt_vmi_storage_flush_requests_total", labels, float(flushes)
            yield "kubevirt_vmi_storage_flush_times_seconds_total", labels, flushes * 0.002
        if not _says(vmi, "AgentConnected"):
            return
        for mount in file_systems(self.cluster.get, vmi):
            labels = who | {
                "disk_name": mount["diskName"],
                "mount_point": mount["mountPoint"],
                "file_system_type": mount["fileSystemType"],
            }
            yield "kubevirt_vmi_filesystem_capacity_bytes", labels, float(mount["totalBytes"])
            yield "kubevirt_vmi_filesystem_used_bytes", labels, float(mount["usedBytes"])

    def cdi(self) -> Iterator[Sample]:
        for volume in self.cluster.list(VOLUMES):
            progress = volume.get("status", {}).get("progress", "")
            if progress.endswith("%"):
                labels = {"ownerUID": volume["metadata"]["uid"]}
                yield "kubevirt_cdi_import_progress_total", labels, float(progress.removesuffix("%"))
        pending = sum(volume.get("status", {}).get("phase") == "Pending" for volume in self.cluster.list(VOLUMES))
        yield "kubevirt_cdi_datavolume_pending", {}, float(pending)
        for cron in self.cluster.list(CRONS):
            meta = cron["metadata"]
            labels = {"ns": meta["namespace"], "cron_name": meta["name"], "pending": "false"}
            yield "kubevirt_cdi_dataimportcron_outdated", labels, 0.0 if _says(cron, "UpToDate") else 1.0
        yield "kubevirt_cdi_cr_ready", {}, 1.0


def exposition(samples: Iterator[Sample]) -> str:
    """Samples grouped by name, with their type: counters end in _total."""
    by_name: dict[str, list[str]] = {}
    for name, labels, value in samples:
        text = ",".join(f'{key}="{_escaped(item)}"' for key, item in sorted(labels.items()))
        shown = str(int(value)) if value == int(value) else repr(value)
        by_name.setdefault(name, []).append(f"{name}{{{text}}} {shown}" if text else f"{name} {shown}")
    lines = []
    for name in sorted(by_name):
        lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
        lines += by_name[name]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _seconds(stamp: str) -> float:
    return datetime.strptime(stamp, FORMAT).replace(tzinfo=UTC).timestamp()


def _snake(text: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() and place else char.lower() for place, char in enumerate(text))


def _says(obj: Object, kind: str) -> bool:
    conditions = obj.get("status", {}).get("conditions") or []
    return any(item["type"] == kind and item["status"] == "True" for item in conditions)
