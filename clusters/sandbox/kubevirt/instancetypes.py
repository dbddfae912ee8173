"""Instance types and preferences: finding them, by name or by what a volume's labels say.

Sources: facts/kubernetes.md section 10, k8s-transcript/14 and 20. A look-up that fails is only logged by KubeVirt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusters.sandbox.kubevirt.causes import NOT_FOUND, NOT_SUPPORTED, Cause, undecodable
from clusters.sandbox.kubevirt.paths import SPEC

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
    if matcher.get("revisionName"):
        return _pinned(vm, word, matcher["revisionName"], look)
    if not matcher.get("name"):
        return None
    plural = KINDS.get(str(matcher.get("kind", "")).lower())
    if plural is None or word not in plural.format(word):
        return None
    resource = plural.format(word) + ".instancetype.kubevirt.io"
    namespace = None if "cluster" in resource else vm["metadata"].get("namespace")
    found = look(resource, namespace, matcher["name"])
    return None if found is None else dict(found["spec"])


def _pinned(vm: Object, word: str, revision: str, look: Look) -> Object | None:
    """What a ControllerRevision keeps of it; None when there is no such revision, or of something else."""
    kept = (look("controllerrevisions.apps", vm["metadata"].get("namespace"), revision) or {}).get("data") or {}
    return dict(kept["spec"]) if word in str(kept.get("kind", "")).lower() and "spec" in kept else None


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
    ignore = matcher.get("inferFromVolumeFailurePolicy") == "Ignore"
    try:
        name, kind = _from_volume(vm, volume_name, word, look)
    except _NothingToInferError as error:
        if not ignore:
            raise undecodable(str(error)) from error
        del vm["spec"][word]
        return
    if ignore and word == "instancetype":
        vm["spec"]["template"]["spec"]["domain"].pop("memory", None)
    vm["spec"][word] = {"name": name} | ({"kind": kind} if kind else {})


class _NothingToInferError(Exception):
    """The volume says nothing about instance types; inferFromVolumeFailurePolicy Ignore forgives this, only this."""


def _from_volume(vm: Object, volume_name: str, word: str, look: Look) -> tuple[str, str]:
    namespace = vm["metadata"].get("namespace")
    volumes = vm["spec"]["template"].get("spec", {}).get("volumes", [])
    volume = next((item for item in volumes if item["name"] == volume_name), None)
    if volume is None:
        raise undecodable(f"unable to find volume {volume_name} to infer defaults")
    if "persistentVolumeClaim" in volume:
        return _from_claim(volume["persistentVolumeClaim"].get("claimName", ""), namespace, word, look)
    if "dataVolume" not in volume:
        raise _NothingToInferError(f"unable to infer defaults from volume {volume_name} as type is not supported")
    name = volume["dataVolume"].get("name", "")
    for template in vm["spec"].get("dataVolumeTemplates", []):
        if (template.get("metadata") or {}).get("name", "") == name:
            return _from_data_volume_spec(template.get("spec") or {}, namespace, word, look)
    found = look("datavolumes.cdi.kubevirt.io", namespace, name)
    if found is None:  # a finished DataVolume may be gone, its claim has the same name
        return _from_claim(name, namespace, word, look)
    labelled = _from_labels(found, word)
    return labelled or _from_data_volume_spec(found["spec"], namespace, word, look)


def _from_labels(obj: Object, word: str) -> tuple[str, str] | None:
    labels = obj["metadata"].get("labels") or {}
    name = labels.get(f"instancetype.kubevirt.io/default-{word}")
    return None if name is None else (name, labels.get(f"instancetype.kubevirt.io/default-{word}-kind", ""))


def _labelled(resource: str, namespace: str | None, name: str, word: str, look: Look) -> tuple[str, str]:
    found = look(resource, namespace, name)
    if found is None:
        raise undecodable(f'{resource} "{name}" not found')
    labelled = _from_labels(found, word)
    if labelled is None:
        label = f"instancetype.kubevirt.io/default-{word}"
        raise _NothingToInferError(f"unable to find required {label} label on the volume")
    return labelled


def _from_claim(name: str, namespace: str | None, word: str, look: Look) -> tuple[str, str]:
    return _labelled("persistentvolumeclaims", namespace, name, word, look)


def _from_source(source: Object, word: str, look: Look) -> tuple[str, str] | None:
    """The labels of the claim or snapshot a DataVolume or DataSource copies; None for other sources."""
    if "pvc" in source:
        return _from_claim(source["pvc"].get("name", ""), source["pvc"].get("namespace"), word, look)
    if "snapshot" in source:
        snapshot, resource = source["snapshot"], "volumesnapshots.snapshot.storage.k8s.io"
        return _labelled(resource, snapshot.get("namespace"), snapshot.get("name", ""), word, look)
    return None


def _from_data_volume_spec(spec: Object, namespace: str | None, word: str, look: Look) -> tuple[str, str]:
    found = _from_source(spec.get("source") or {}, word, look)
    if found:
        return found
    reference = spec.get("sourceRef")
    if reference is None:
        text = "unable to infer defaults from DataVolumeSpec as DataVolumeSource is not supported"
        raise _NothingToInferError(text)
    if reference.get("kind") != "DataSource":
        text = f"unable to infer defaults from DataVolumeSourceRef as Kind {reference.get('kind', '')} is not supported"
        raise _NothingToInferError(text)
    name = reference.get("name", "")
    origin = look("datasources.cdi.kubevirt.io", reference.get("namespace", namespace), name)
    if origin is None:
        raise undecodable(f'datasources.cdi.kubevirt.io "{name}" not found')
    found = _from_labels(origin, word) or _from_source(origin["spec"].get("source") or {}, word, look)
    if found:
        return found
    text = (
        "unable to infer defaults from DataSource that doesn't provide DataVolumeSourcePVC or DataVolumeSourceSnapshot"
    )
    raise _NothingToInferError(text)
