"""One small machine, changed in one respect per rule: virt-api's code, causes, fields and their order.

The answers in vm_rules.json are those of KubeVirt's own webhooks (main at d923fdb), run on these machines.
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from clusters.sandbox.kubevirt.causes import DeniedError
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.mutate import mutate
from clusters.sandbox.kubevirt.validate import validate, validate_instance
from clusters.sandbox.kubevirt.webhooks import complete_instance
from tests.clusters.sandbox_kubevirt.test_vm_mutator import vm

TABLE = json.loads((Path(__file__).parent / "vm_rules.json").read_text())
OBJECTS = {(item["resource"], item["name"]): item for item in TABLE["objects"]}
GONE = "DROP"


def look(resource: str, _namespace: str | None, name: str) -> dict[str, Any] | None:
    found = OBJECTS.get((resource, name))
    return found and {"metadata": {"name": name, "labels": found.get("labels")}, "spec": deepcopy(found["spec"])}


def changed(changes: list[tuple[str, Any]]) -> dict[str, Any]:
    """The small machine with values at dotted paths below its spec; "+" adds to a list."""
    machine = vm()
    machine["spec"]["template"]["metadata"] = {}
    for path, value in changes:
        place: Any = machine["spec"]
        *parents, last = path.split(".")
        for name in parents:
            place = place[int(name)] if name.isdigit() else place.setdefault(name, {})
        if last == "+":
            place.append(value)
        elif value == GONE:
            place.pop(last)
        else:
            place[int(last) if last.isdigit() else last] = value
    return machine


def answer(new: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    operation = "UPDATE" if old else "CREATE"
    try:
        validate(operation, mutate(operation, new, old, look, Gates()), old, look, Gates())
    except DeniedError as refusal:
        if not refusal.causes:
            return {"code": refusal.code, "message": refusal.message}
        return {"code": refusal.code, "causes": [[cause.field, cause.message] for cause in refusal.causes]}
    return {"code": 201}


@pytest.mark.parametrize("rule", TABLE["rules"], ids=[rule["rule"] for rule in TABLE["rules"]])
def test_answers_like_virt_api(rule: dict[str, Any]) -> None:
    expected = {key: value for key, value in rule.items() if key in ("code", "causes", "message")}
    assert answer(changed(rule["changes"])) == expected


@pytest.mark.parametrize("word", ["instancetype", "preference"])
def test_a_pinned_revision_does_not_outlive_a_new_name(word: str) -> None:
    old = changed([(word, {"name": "before", "revisionName": "r1"})])
    text = "the Matcher Name has been updated without updating the RevisionName"
    kept = changed([(word, {"name": "after", "revisionName": "r1"})])
    assert answer(kept, old) == {"code": 422, "causes": [[f"spec.{word}.revisionName", text]]}
    fine = ({"name": "after", "revisionName": "r2"}, {"name": "after"}, {"name": "before", "revisionName": "r1"})
    for matcher in fine:
        assert answer(changed([(word, matcher)]), old) == {"code": 201}


def test_templates_of_another_namespace_are_looked_at_again_only_when_they_change() -> None:
    source: dict[str, Any] = {"storage": {}, "source": {"blank": {}}}
    disk = ("template.spec.volumes.0", {"name": "sys", "dataVolume": {"name": "d"}})
    away = [{"metadata": {"name": "d", "namespace": "other"}, "spec": source}]
    foreign = changed([disk, ("dataVolumeTemplates", away)])
    assert answer(foreign, deepcopy(foreign)) == {"code": 201}
    here = changed([disk, ("dataVolumeTemplates", [{"metadata": {"name": "d"}, "spec": source}])])
    assert answer(foreign, here)["causes"][0][0] == "spec.dataVolumeTemplates[0]"


@pytest.mark.parametrize(
    ("status", "changes", "message"),
    [
        ("snapshotInProgress", [("template.spec.volumes.+", {"name": "e", "emptyDisk": {"capacity": "1Gi"}})],
         'Cannot update vm disks or volumes until snapshot "now" completes'),
        ("snapshotInProgress", [("runStrategy", "Always")],
         'Cannot update vm running state until snapshot "now" completes'),
        ("snapshotInProgress", [("runStrategy", GONE), ("running", False)],
         'Cannot update vm running state until snapshot "now" completes'),
        ("restoreInProgress", [("runStrategy", "Always")],
         'Cannot update VM runStrategy until restore "now" completes'),
        ("snapshotInProgress", [("template.spec.domain.cpu", {"cores": 3})], ""),
        ("restoreInProgress", [("runStrategy", GONE), ("running", False)], ""),
    ],
)  # fmt: skip
def test_a_machine_in_a_snapshot_or_restore_stays_as_it_is(
    status: str, changes: list[tuple[str, Any]], message: str
) -> None:
    old, new = changed([]), changed(changes)
    old["status"] = new["status"] = {status: "now"}
    expected = {"code": 422, "causes": [["spec", message]]} if message else {"code": 201}
    assert answer(new, old) == expected


@pytest.mark.parametrize(
    ("part", "value", "messages"),
    [
        ("spec", "no object", ['spec in body must be of type object: "string"']),
        ("spec", GONE, ["spec in body is required", 'spec in body must be of type object: "null"']),
        ("status", [], ['status in body must be of type object: "array"']),
        ("status", {"ready": "yes"}, ['status.ready in body must be of type boolean: "string"']),
        ("status", {"observedGeneration": 1.5}, ['status.observedGeneration in body must be of type int64: "float64"']),
    ],
)
def test_a_whole_machine_is_checked_not_its_spec_only(part: str, value: Any, messages: list[str]) -> None:
    machine = changed([]) | {part: value}
    if value == GONE:
        machine.pop(part)
    assert answer(machine) == {"code": 422, "causes": [["", message] for message in messages]}


def instance(**domain: Any) -> dict[str, Any]:
    spec = vm(**domain)["spec"]["template"]["spec"]
    return {"metadata": {"name": "a", "namespace": "t"}, "spec": spec}


def test_a_new_instance_is_decoded_before_it_is_judged() -> None:
    with pytest.raises(DeniedError) as refusal:
        complete_instance(instance(cpu={"cores": "two"}), Gates())
    assert refusal.value.message == 'spec.domain.cpu.cores in body must be of type integer: "string"'


def test_a_disk_without_a_target_gets_one_and_a_bus_by_architecture() -> None:
    for architecture, bus in (("amd64", "sata"), ("arm64", "virtio"), ("s390x", "virtio")):
        asked = instance(devices={"disks": [{"name": "sys"}], "interfaces": [{"name": "net", "masquerade": {}}]})
        asked["spec"]["architecture"] = architecture
        made = complete_instance(asked, Gates())
        assert made["spec"]["domain"]["devices"]["disks"][0]["disk"] == {"bus": bus}
        validate_instance(made, Gates())
