"""Conditions tell the truth: Ready only if the guest runs or rests as wanted, and each trouble has its evidence live."""

from collections.abc import Callable, Iterator, Mapping

from clusters.apply import differences, owned_digest
from clusters.refs import Ref
from tests.chaos.picture import Picture, Row, is_ours


def are_true(picture: Picture) -> list[str]:
    found: list[str] = []
    for row in picture.rows:
        texts = [*_troubles(picture, row)]
        if not row.deleting:
            texts += _of_machine(picture, row) if row.kind == "vm" else _of_place(row)
        found += [f"{row}: {text}" for text in texts]
    return found


def _of_place(row: Row) -> Iterator[str]:
    if row.troubles:
        if row.row.phase == "Active" and _ready(row):
            yield f"says Active although {', '.join(row.troubles)}"
    elif row.row.phase != "Active" or not _ready(row):
        yield f"is {row.row.phase} and not Active: {row.row.conditions}"


def _ready(row: Row) -> bool:
    return any(item["type"] == "Ready" and item["status"] == "True" for item in row.row.conditions)


def _of_machine(picture: Picture, row: Row) -> Iterator[str]:
    vm = row.row
    instance = picture.live.get(Ref("kubevirt.io", "VirtualMachineInstance", vm.vdc.namespace, vm.name))
    runs = instance is not None and (instance.get("status") or {}).get("phase") == "Running"
    if (vm.phase == "Running") != (runs and vm.power_state == "on" and not _held(row)):
        yield f"says {vm.phase}, its instance {'runs' if runs else 'does not run'}, power is {vm.power_state}"
    if vm.phase == "Stopped" and instance is not None:
        yield "says Stopped and has an instance"
    if _ready(row) and (_held(row) or vm.phase not in ("Running", "Stopped")):
        yield f"says Ready, {vm.phase}, with {row.troubles}"
    if not row.troubles and vm.phase != {"on": "Running", "off": "Stopped"}[vm.power_state]:
        yield f"power is {vm.power_state} and it is {vm.phase}: {vm.conditions}"
    if row.says("DiskLost") and instance is not None:
        yield "says DiskLost and is not held: it has an instance"


def _held(row: Row) -> bool:
    """A trouble is never hidden behind a good phase. That a start in the cluster was refused is none: it is off, as meant."""
    return bool(set(row.troubles) - {"PowerRefused"})


# --- the evidence --------------------------------------------------------------------------------------------------


def _troubles(picture: Picture, row: Row) -> Iterator[str]:
    for trouble in row.troubles:
        if not EVIDENCE.get(trouble, lambda *_: False)(picture, row):
            yield f"says {trouble} without a cause: {row.says(trouble)}"


def _is_taken(picture: Picture, row: Row) -> bool:
    return any(wanted.ref in picture.live and not is_ours(picture.live[wanted.ref]) for wanted in row.wanted)


def _is_lost(picture: Picture, row: Row) -> bool:
    """A disk whose volume of record is not there any more."""
    for wanted in row.wanted:
        if wanted.ref.type.keeps_data:
            ref = Ref("", "PersistentVolumeClaim", wanted.ref.namespace, wanted.ref.name)
            known = {str(item.uid) for item in picture.held(row) if item.kind == ref.kind and item.name == ref.name}
            claim = picture.live.get(ref)
            if claim is None or claim["metadata"]["uid"] not in known or "deletionTimestamp" in claim["metadata"]:
                return True
    return False


def _has_drifted(picture: Picture, row: Row) -> bool:
    """A field is not as we want it, in an object that others write to, too."""
    for wanted in row.wanted:
        live = picture.live.get(wanted.ref)
        if live is not None and any(True for _ in differences(wanted.manifest, live)):
            entries = live["metadata"].get("managedFields", ())
            return any(entry["manager"] != "ovim" and not entry.get("subresource") for entry in entries)
    return False


def _holds_strangers(picture: Picture, row: Row) -> bool:
    namespace = row.row.namespace
    kinds = ("ConfigMap", "Secret", "VirtualMachine")
    inside = [item for kind in kinds for item in picture.in_namespace(kind, namespace)]
    return any(not is_ours(item) and item["metadata"]["name"] != "kube-root-ca.crt" for item in inside)


def _has_left_volume(picture: Picture, row: Row) -> bool:
    return any(
        Ref("", "PersistentVolumeClaim", wanted.ref.namespace, wanted.ref.name) in picture.live
        for wanted in row.wanted
        if wanted.ref.kind == "DataVolume"
    )


def _has_lost_its_claim(picture: Picture, row: Row) -> bool:
    """OVIM's own apply made it, nothing on it says for whom, and no uid is on record."""
    unknown = {(item.kind, item.name) for item in picture.held(row) if item.uid is None}
    found = (picture.live.get(wanted.ref) for wanted in row.wanted if (wanted.ref.kind, wanted.ref.name) in unknown)
    return any(live is not None and owned_digest(live) and not is_ours(live) for live in found)


def _is_refused(picture: Picture, row: Row) -> bool:
    """It was started in the cluster, against the quota: it is off by intent."""
    return bool(row.kind == "vm" and row.row.power_state == "off")


EVIDENCE: Mapping[str, Callable[[Picture, Row], bool]] = {
    "NameTaken": _is_taken,
    "DiskLost": _is_lost,
    "Drifted": _has_drifted,
    "HoldsStrangers": _holds_strangers,
    "Unproven": lambda picture, row: _has_left_volume(picture, row) or _has_lost_its_claim(picture, row),
    "PowerRefused": _is_refused,
}
