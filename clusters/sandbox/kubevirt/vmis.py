"""The VMI controller: launcher pod, phases, conditions. virt-controller and virt-handler in one.

VirtualMachineInstance has no status subresource: its status goes through the object itself (facts/kubernetes.md 10).
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.objects import condition, controller_of, drop_condition, event, set_condition
from clusters.sandbox.cdi.pace import Pace
from clusters.sandbox.cdi.worker import Worker
from clusters.sandbox.errors import ApiError
from clusters.sandbox.kubevirt import vmi_status
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.guests import Guests, container_states
from clusters.sandbox.kubevirt.launcher import IMAGE, claims, launcher_pod

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
VMIS = "virtualmachineinstances.kubevirt.io"
DATA_VOLUMES = "datavolumes.cdi.kubevirt.io"
CLAIMS = "persistentvolumeclaims"
FINALIZER = "kubevirt.io/foregroundDeleteVirtualMachine"
MANAGER = "virt-controller"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
FINAL = ("Succeeded", "Failed")
PVC_NOT_FOUND = "FailedPvcNotFound"
IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff")


class Instances:
    """Reconciles VirtualMachineInstances."""

    def __init__(self, cluster: Cluster, pace: Pace, gates: Gates, guests: Guests) -> None:
        self.cluster = cluster
        self.pace = pace
        self.gates = gates
        self.guests = guests
        self.users: dict[tuple[str, str], set[str]] = {}
        self.pods: dict[str, tuple[str, str]] = {}
        self.owners: dict[tuple[str, str], Object] = {}
        self.worker = Worker(cluster, "instances", self.reconcile)
        self.worker.subscribe(VMIS)
        cluster.subscribe(["pods"], self._pod_changed)
        cluster.subscribe([DATA_VOLUMES, CLAIMS], self._disk_changed)
        for pod in cluster.list("pods"):
            self._index(pod)

    # indexes: pods by the uid of their VMI, VMIs by the claims they use

    def _index(self, pod: Object) -> str:
        owner = controller_of(pod)
        if owner is None or owner["kind"] != "VirtualMachineInstance":
            return ""
        place = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.pods[owner["uid"]] = place
        self.owners[place] = owner
        return str(owner["name"])

    def _pod_changed(self, _resource: str, namespace: str | None, name: str) -> None:
        pod = self.cluster.get("pods", namespace, name)
        if pod is not None:
            owner_name = self._index(pod)
            if owner_name:
                self.worker.wake(namespace, owner_name)
            return
        owner = self.owners.pop((namespace or "", name), None)
        if owner is not None:
            self.pods.pop(owner["uid"], None)
            self.worker.wake(namespace, owner["name"])

    def _disk_changed(self, _resource: str, namespace: str | None, name: str) -> None:
        for user in tuple(self.users.get((namespace or "", name), ())):
            self.worker.wake(namespace, user)

    def pod_of(self, vmi: Object) -> Object | None:
        place = self.pods.get(vmi["metadata"]["uid"])
        return self.cluster.get("pods", *place) if place else None

    def reconcile(self, namespace: str, name: str) -> float | None:
        vmi = self.cluster.get(VMIS, namespace, name)
        if vmi is None:
            return None
        for claim in claims(vmi["spec"]).values():
            self.users.setdefault((namespace, claim), set()).add(name)
        before = deepcopy(vmi)
        status = vmi.setdefault("status", {})
        pod = self.pod_of(vmi)
        if vmi["metadata"].get("deletionTimestamp"):
            again = self._end(vmi, pod)
        elif status.get("phase") in FINAL:
            again = None
        elif pod is None and status.get("phase") in ("Scheduling", "Scheduled", "Running"):
            self._ended(vmi, "Failed")
            self._not_ready(status, "PodNotExists", "virt-launcher pod has not yet been scheduled")
            again = None
        elif pod is None:
            again = self._start(vmi)
        else:
            again = self._follow(vmi, pod)
        if vmi != before:
            self.cluster.update(VMIS, vmi, manager=MANAGER)
        return again

    # starting

    def _start(self, vmi: Object) -> float | None:
        status, meta = vmi["status"], vmi["metadata"]
        if not status.get("phase"):
            vmi_status.phase(status, "Pending")
            vmi_status.sizes(status, vmi["spec"])
        problem = self._disks(vmi)
        if problem is not None:
            self._waiting(vmi, *problem)
            return 1.0
        limited = frozenset(
            key
            for quota in self.cluster.list("resourcequotas", meta["namespace"])
            for key in (quota["spec"].get("hard") or {})
        )
        try:
            pod = self.cluster.create("pods", launcher_pod(vmi, self.gates, quota_limits=limited), manager=MANAGER)
        except ApiError as error:
            text = f"failed to create virtual machine pod: {error}"
            if condition(vmi, "Synchronized").get("message") != text:
                event(
                    self.cluster, vmi, "FailedCreate", f"Error creating pod: {error}", component=MANAGER, warning=True
                )
            set_condition(status, "Synchronized", "False", "FailedCreate", text)
            self._not_ready(status, "PodNotExists", "virt-launcher pod has not yet been scheduled")
            return self.pace.retry_quota
        self._index(pod)
        text = f"Created virtual machine pod {pod['metadata']['name']}"
        event(self.cluster, vmi, "SuccessfulCreate", text, component=MANAGER)
        drop_condition(status, "Synchronized")
        vmi_status.phase(status, "Scheduling")
        status["activePods"] = {pod["metadata"]["uid"]: ""}
        self._not_ready(status, "GuestNotRunning", "Guest VM is not reported as running")
        return None

    def _waiting(self, vmi: Object, reason: str, text: str) -> None:
        """A claim that was missing leaves "unschedulable" behind until there is a pod, however long its import takes."""
        status = vmi["status"]
        if reason:
            if condition(vmi, "Synchronized").get("message") != text:
                event(self.cluster, vmi, reason, text, component=MANAGER)
            set_condition(status, "Synchronized", "False", reason, text)
            set_condition(status, "PodScheduled", "False", "Unschedulable", text)
        elif condition(vmi, "Synchronized").get("reason") == PVC_NOT_FOUND:
            drop_condition(status, "Synchronized")
        self._volumes_ready(vmi)
        self._not_ready(status, "PodNotExists", "virt-launcher pod has not yet been scheduled")

    def _volumes_ready(self, vmi: Object) -> None:
        """What the data volumes say of themselves, together."""
        namespace = vmi["metadata"]["namespace"]
        known = DATA_VOLUMES in self.cluster.registry.by_key
        names = claims(vmi["spec"]).values() if known else ()
        volumes = [found for name in names if (found := self.cluster.get(DATA_VOLUMES, namespace, name)) is not None]
        if not volumes:
            return
        said = {condition(volume, "Ready").get("status", "Unknown") for volume in volumes}
        if said == {"True"}:
            told = ("True", "AllDVsReady", "All of the VMI's DVs are bound and ready")
        else:
            told = ("False" if "False" in said else "Unknown", "NotAllDVsReady", "Not all of the VMI's DVs are ready")
        set_condition(vmi["status"], "DataVolumesReady", *told)

    def _disks(self, vmi: Object) -> tuple[str, str] | None:
        """Why the disks are not ready, as (reason, message); an empty reason is plain waiting."""
        namespace = vmi["metadata"]["namespace"]
        for name in claims(vmi["spec"]).values():
            claim = self.cluster.get(CLAIMS, namespace, name)
            filler = (
                self.cluster.get(DATA_VOLUMES, namespace, name)
                if DATA_VOLUMES in self.cluster.registry.by_key
                else None
            )
            if claim is None:
                return PVC_NOT_FOUND, f"PVC {namespace}/{name} does not exist, waiting for it to appear"
            if claim.get("status", {}).get("phase") != "Bound":
                self._consume(claim)
                return "", ""
            if filler is not None and filler.get("status", {}).get("phase") not in ("Succeeded", "UploadReady"):
                return "", ""
        return None

    def _consume(self, claim: Object) -> None:
        """Claims that wait for their first consumer get the node a real scheduler would have chosen."""
        annotations = claim["metadata"].setdefault("annotations", {})
        nodes = [] if SELECTED_NODE in annotations else self.cluster.list("nodes")
        if nodes:
            annotations[SELECTED_NODE] = nodes[0]["metadata"]["name"]
            self.cluster.update(CLAIMS, claim, manager="kube-scheduler")

    # running

    def _follow(self, vmi: Object, pod: Object) -> float | None:
        status = vmi["status"]
        pod_phase = pod["status"].get("phase")
        if pod_phase in FINAL:
            self._ended(vmi, pod_phase)
            self._not_ready(status, "PodTerminating", "virt-launcher pod is terminating")
            return None
        if pod["metadata"].get("deletionTimestamp"):
            if not self.guests.silent(pod):
                self._ended(vmi, "Succeeded")
            self._not_ready(status, "PodTerminating", "virt-launcher pod is terminating")
            return None
        scheduled = condition(pod, "PodScheduled")
        if scheduled.get("status") == "False":
            set_condition(status, "PodScheduled", "False", scheduled["reason"], scheduled["message"])
            self._not_ready(status, "GuestNotRunning", "Guest VM is not reported as running")
            return None
        drop_condition(status, "PodScheduled")
        self._image_problem(status, pod)
        if pod_phase != "Running":
            return None
        if status.get("phase") == "Running":
            self._answering(status, pod)
        if status.get("phase") not in ("Scheduled", "Running"):
            vmi_status.phase(status, "Scheduled")
            status["nodeName"] = pod["spec"]["nodeName"]
            vmi["metadata"].setdefault("labels", {})["kubevirt.io/nodeName"] = pod["spec"]["nodeName"]
            status["activePods"] = {pod["metadata"]["uid"]: pod["spec"]["nodeName"]}
            return self.pace.schedule
        if status["phase"] == "Scheduled":
            if self.guests.broken(vmi):
                self._refused_to_start(vmi, pod)
                return None
            self._running(vmi, pod)
            return self.pace.agent
        return self._agent(vmi, pod)

    def _image_problem(self, status: Object, pod: Object) -> None:
        """A container disk that can't be pulled shows as the VMI's own condition."""
        waiting = [(entry.get("state") or {}).get("waiting") or {} for entry in container_states(pod)]
        found = next((item for item in waiting if item.get("reason") in IMAGE_REASONS), None)
        if found is not None:
            set_condition(status, "Synchronized", "False", found["reason"], found.get("message", ""))
        elif condition({"status": status}, "Synchronized").get("reason") in IMAGE_REASONS:
            drop_condition(status, "Synchronized")

    def _answering(self, status: Object, pod: Object) -> None:
        """A machine is as ready as its pod: a node that went silent makes it not ready, though it may well run."""
        ready = condition(pod, "Ready")
        set_condition(status, "Ready", ready.get("status", "False"), ready.get("reason", ""), ready.get("message", ""))

    def _refused_to_start(self, vmi: Object, pod: Object) -> None:
        name = f"{vmi['metadata']['namespace']}_{vmi['metadata']['name']}"
        why = f"internal error: QEMU unexpectedly closed the monitor (vm='{name}')"
        text = f"server error. command SyncVMI failed: \"LibvirtError(Code=1, Domain=10, Message='{why}')\""
        event(self.cluster, vmi, "SyncFailed", text, component="virt-handler", warning=True)
        set_condition(vmi["status"], "Synchronized", "False", "Synchronizing with the Domain failed.", text)
        self.guests.end(pod, "Failed", 1)

    def _ended(self, vmi: Object, phase: str) -> None:
        """The guest is gone: well (shut down) or not (crashed), told once."""
        status = vmi["status"]
        if status.get("phase") in FINAL:
            return
        vmi_status.phase(status, phase)
        well = phase == "Succeeded"
        text = "The VirtualMachineInstance was shut down." if well else "The VirtualMachineInstance crashed."
        event(self.cluster, vmi, "Stopped", text, component="virt-handler", warning=not well)
        self.guests.forget(vmi)

    def _running(self, vmi: Object, pod: Object) -> None:
        status, namespace = vmi["status"], vmi["metadata"]["namespace"]
        vmi_status.phase(status, "Running")
        found = {volume: self.cluster.get(CLAIMS, namespace, name) for volume, name in claims(vmi["spec"]).items()}
        present = {volume: claim for volume, claim in found.items() if claim is not None}
        status["interfaces"] = vmi_status.interfaces(vmi, pod["status"]["podIP"], agent=False)
        status["volumeStatus"] = vmi_status.volumes(vmi, present)
        status["migrationTransport"], status["launcherContainerImageVersion"] = "Unix", IMAGE
        status["qosClass"] = pod["status"].get("qosClass", "Burstable")
        set_condition(status, "Ready", "True")
        self._volumes_ready(vmi)
        vmi_status.migratable(status, vmi["spec"], present)
        if vmi["spec"].get("startStrategy") == "Paused":
            set_condition(status, "Paused", "True", "PausedByUser", "VMI was paused by user")
        self.guests.booted(vmi)
        event(self.cluster, vmi, "Created", "VirtualMachineInstance defined.", component="virt-handler")
        event(self.cluster, vmi, "Started", "VirtualMachineInstance started.", component="virt-handler")

    def _agent(self, vmi: Object, pod: Object) -> float | None:
        """The guest agent answers a moment after the boot; a paused or hung guest answers nothing."""
        status = vmi["status"]
        left = self.guests.agent_in(vmi, self.pace.agent)
        if left is None or left > 0:
            drop_condition(status, "AgentConnected")
            return left
        if condition(vmi, "AgentConnected").get("status") == "True" or condition(vmi, "Paused").get("status") == "True":
            return None
        if not condition(vmi, "AgentConnected"):
            words = self.guests.first_words(vmi)
            if words:
                self.guests.act(words, vmi)
                return None
        set_condition(status, "AgentConnected", "True")
        status["guestOSInfo"] = vmi_status.GUEST | vmi_status.KERNEL
        status["interfaces"] = vmi_status.interfaces(vmi, pod["status"]["podIP"], agent=True)
        return None

    # ending

    def _end(self, vmi: Object, pod: Object | None) -> float | None:
        meta, status = vmi["metadata"], vmi["status"]
        if pod is not None:
            if not pod["metadata"].get("deletionTimestamp"):
                event(self.cluster, vmi, "ShuttingDown", "Signaled Graceful Shutdown", component="virt-handler")
                self.cluster.delete("pods", meta["namespace"], pod["metadata"]["name"], uid=pod["metadata"]["uid"])
            self._not_ready(status, "PodTerminating", "virt-launcher pod is terminating")
            return None
        self._ended(vmi, "Succeeded")
        self._not_ready(status, "PodNotExists", "virt-launcher pod has not yet been scheduled")
        status["activePods"] = {}
        for claim in claims(vmi["spec"]).values():
            self.users.get((meta["namespace"], claim), set()).discard(meta["name"])
        meta["finalizers"] = [item for item in meta.get("finalizers") or [] if item != FINALIZER]
        return None

    def _not_ready(self, status: Object, reason: str, message: str) -> None:
        set_condition(status, "Ready", "False", reason, message)
