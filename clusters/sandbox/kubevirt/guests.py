"""What goes on inside the machines: boots, the agent, and what an order makes a guest do.

Nothing here is stored: after a restart of the sandbox every running guest has booted long ago and is well.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import yaml

from clusters.sandbox.cdi.objects import now, set_condition
from clusters.sandbox.kubevirt.run_strategy import phase_of

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
PODS = "pods"
VMIS = "virtualmachineinstances.kubevirt.io"
ACTIONS = ("shutdown", "crash", "panic", "reboot", "break", "mend")
FINAL = ("Succeeded", "Failed")


def container_states(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


class Guests:
    """Guests by the uid of their VMI; `lost` are the nodes nobody hears of."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.boots: dict[str, float] = {}
        self.hung: set[str] = set()
        self.unbootable: set[tuple[str, str]] = set()
        self.lost: set[str] = set()
        cluster.register_control("guest", self.order)

    # what the controllers ask

    def booted(self, vmi: Object) -> None:
        self.boots[vmi["metadata"]["uid"]] = time.monotonic()
        self.hung.discard(vmi["metadata"]["uid"])

    def first_words(self, vmi: Object) -> str:
        """What cloud-init makes of the guest right after its boot: "shutdown", "panic", or nothing.

        `power_state` turns it off; a command that writes "c" into sysrq-trigger panics it.
        """
        for volume in vmi["spec"].get("volumes") or []:
            source = volume.get("cloudInitNoCloud") or volume.get("cloudInitConfigDrive") or {}
            text = source.get("userData") or ""
            if source.get("userDataBase64"):
                text = base64.b64decode(source["userDataBase64"]).decode(errors="replace")
            if not text.startswith("#cloud-config"):
                continue
            try:
                config = yaml.safe_load(text)
            except yaml.YAMLError:
                continue
            config = config if isinstance(config, dict) else {}
            if any("sysrq-trigger" in str(line) for line in config.get("runcmd") or []):
                return "panic"
            power = config.get("power_state")
            if isinstance(power, dict) and power.get("mode") in ("poweroff", "halt"):
                return "shutdown"
        return ""

    def forget(self, vmi: Object) -> None:
        self.boots.pop(vmi["metadata"]["uid"], None)
        self.hung.discard(vmi["metadata"]["uid"])

    def agent_in(self, vmi: Object, delay: float) -> float | None:
        """Seconds until the agent answers, None when it never will."""
        uid = vmi["metadata"]["uid"]
        if uid in self.hung:
            return None
        return max(0.0, self.boots.get(uid, 0.0) + delay - time.monotonic()) if uid in self.boots else 0.0

    def broken(self, vmi: Object) -> bool:
        return (vmi["metadata"]["namespace"], vmi["metadata"]["name"]) in self.unbootable

    def silent(self, pod: Object) -> bool:
        return pod["spec"].get("nodeName") in self.lost

    # what happens to them

    def end(self, pod: Object, phase: str, code: int) -> None:
        """The launcher ends with its guest; its node says so."""
        stamp = now()
        well = phase == "Succeeded"
        ended = {"exitCode": code, "reason": "Completed" if well else "Error", "finishedAt": stamp}
        status = pod["status"] | {"phase": phase}
        for key in ("initContainerStatuses", "containerStatuses"):
            for entry in status.get(key) or []:
                started = (entry.get("state") or {}).get("running", {}).get("startedAt", stamp)
                entry |= {"ready": False, "started": False, "state": {"terminated": {**ended, "startedAt": started}}}
        for kind in ("ContainersReady", "Ready"):
            set_condition(status, kind, "False", "PodCompleted" if well else "PodFailed")
        pod["status"] = status
        self.cluster.update(PODS, pod, manager="kubelet", subresource="status")

    def reboot(self, vmi: Object) -> None:
        """The same VMI boots anew: the agent goes and comes back."""
        self.booted(vmi)
        self.cluster.wake_all(VMIS, vmi["metadata"]["namespace"], vmi["metadata"]["name"])

    # orders

    def order(self, order: Object) -> Object:
        action, namespace, name = order.get("action"), order.get("namespace", ""), order.get("name", "")
        if action not in ACTIONS:
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}")
        if action == "break":
            self.unbootable.add((namespace, name))
            return {"unbootable": sorted("/".join(key) for key in self.unbootable)}
        if action == "mend":
            self.unbootable.discard((namespace, name))
            return {"unbootable": sorted("/".join(key) for key in self.unbootable)}
        vmi = self.cluster.get(VMIS, namespace, name)
        if vmi is None or phase_of(vmi) != "Running":
            raise ValueError(f"no running machine {namespace}/{name}")
        self.act(action, vmi)
        return {"guest": f"{namespace}/{name}", "action": action}

    def act(self, action: str, vmi: Object) -> None:
        if action == "reboot":
            self.reboot(vmi)
        elif action == "panic" and not (vmi["spec"]["domain"].get("devices") or {}).get("panicDevices"):
            # Without a panic device nobody is told: the guest just stops answering.
            self.hung.add(vmi["metadata"]["uid"])
            self.cluster.wake_all(VMIS, vmi["metadata"]["namespace"], vmi["metadata"]["name"])
        else:
            well = action == "shutdown"
            for pod in self.cluster.list(PODS, vmi["metadata"]["namespace"]):
                references = pod["metadata"].get("ownerReferences") or []
                mine = any(reference["uid"] == vmi["metadata"]["uid"] for reference in references)
                if mine and pod["status"].get("phase") not in FINAL:
                    self.end(pod, "Succeeded" if well else "Failed", 0 if well else 1)
