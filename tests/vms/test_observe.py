"""Live objects of a VM → phase and conditions. The table is read from the top: the first row that fits decides."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from clusters.models import Phase
from tests.vms.test_desired import VM
from vms.observe import PRINTABLE, Live, observe

DONE = {"metadata": {"name": "web-disk-0"}, "status": {"phase": "Succeeded", "progress": "100.0%"}}
IMPORTING: dict[str, Any] = {
    "metadata": {"name": "web-disk-0"},
    "status": {
        "phase": "ImportInProgress",
        "progress": "42.10%",
        "conditions": [{"type": "Running", "status": "True", "reason": "Pod is running"}],
    },
}
FAILING = {
    "metadata": {"name": "web-disk-0"},
    "status": {
        "phase": "ImportInProgress",
        "restartCount": 1,
        "conditions": [
            {"type": "Running", "status": "False", "reason": "Error", "message": "expected status code 200, got 404"}
        ],
    },
}


def machine(word: str, **status):
    return {"metadata": {"name": "web"}, "status": {"printableStatus": word, **status}}


PAGE = "https://x/a answers with an HTML page, not with a disk image."
FILLED_FROM_A_PAGE = replace(VM, disks=(replace(VM.disks[0], no_image=PAGE),))


def live(word="Running", *, disk=DONE, **more) -> Live:
    return Live(vm=machine(word) if word else None, volumes={"web-disk-0": disk} if disk else {}, **more)


def seen(vm, found):
    outcome = observe(vm, found)
    return outcome.phase, {item.type: (item.status, item.reason, item.message) for item in outcome.conditions}


ROWS = [
    ("nothing there yet", VM, Live(), "Provisioning", "Applying"),
    ("importing", VM, live("Provisioning", disk=IMPORTING), "Provisioning", "Provisioning"),
    ("failed import", VM, live("Provisioning", disk=FAILING), "Failed", "ImportFailed"),
    ("failed before the VM", VM, live("", disk=FAILING), "Failed", "ImportFailed"),
    ("filled from a page", FILLED_FROM_A_PAGE, live("Running"), "Failed", "ImportFailed"),
    ("about to be filled from a page", FILLED_FROM_A_PAGE, Live(), "Failed", "ImportFailed"),
    ("lost disk beats all", replace(VM, held=True), live("Running", disk=None), "Failed", "DiskLost"),
    ("starting", VM, live("Starting"), "Starting", "Starting"),
    ("running", VM, live("Running"), "Running", "Running"),
    ("told to stop", replace(VM, powered_on=False), live("Running"), "Stopping", "Stopping"),
    ("stopping", replace(VM, powered_on=False), live("Stopping"), "Stopping", "Stopping"),
    ("stopped", replace(VM, powered_on=False), live("Stopped"), "Stopped", "Stopped"),
    ("told to start", VM, live("Stopped"), "Starting", "Starting"),
    ("not looked at", VM, Live(vm={"metadata": {}, "status": {}}), "Provisioning", "Applying"),
    ("deleted by hand", VM, Live(vm={"metadata": {"deletionTimestamp": "x"}}), "Provisioning", "Replacing"),
    ("no node for it", VM, live("ErrorUnschedulable"), "Failed", "ErrorUnschedulable"),
    ("a word we don't know", VM, live("Levitating"), "Unknown", "Levitating"),
]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_table(row):
    _name, vm, found, phase, reason = row
    got, conditions = seen(vm, found)
    assert (got, conditions["Ready"][1]) == (phase, reason)


@pytest.mark.parametrize("word", ["ErrorUnschedulable", "ErrorPvcNotFound"])
def test_a_claim_that_came_late_is_no_failure_while_its_disk_is_filled(word):
    assert seen(VM, live(word, disk=IMPORTING))[0] == "Provisioning"
    homeless = {"metadata": {}, "status": {"conditions": [{"type": "PodScheduled", "status": "False"}]}}
    assert seen(VM, live(word, disk=IMPORTING, pods=[homeless]))[0] == "Failed"
    assert seen(VM, live(word, disk=DONE))[0] == "Failed"
    assert seen(VM, Live(vm=machine(word)))[0] == "Failed"


def test_every_phase_is_one_that_rows_can_have():
    assert {phase for phase, _ready in PRINTABLE.values()} <= set(Phase.values)


def test_progress_and_cause_are_told():
    outcome = observe(VM, live("Provisioning", disk=IMPORTING))
    assert outcome.fields["progress"] == "42.10%"
    _phase, conditions = seen(VM, live("Provisioning", disk=IMPORTING))
    assert conditions["DiskReady"] == ("False", "Importing", "web-disk-0: 42.10%")
    assert "ImportFailed" not in conditions
    _phase, conditions = seen(VM, live("Provisioning", disk=FAILING))
    assert conditions["ImportFailed"] == ("True", "ImportFailed", "web-disk-0: expected status code 200, got 404")


def test_what_cdi_takes_for_a_raw_disk_is_no_filled_disk():
    _phase, conditions = seen(FILLED_FROM_A_PAGE, live("Running", disk=DONE))
    assert conditions["ImportFailed"] == ("True", "ImportFailed", f"web-disk-0: {PAGE}")
    assert conditions["DiskReady"][:2] == ("False", "ImportFailed")


def test_while_cdi_tries_again_the_last_cause_stands():
    again = {**IMPORTING, "status": {**IMPORTING["status"], "restartCount": 2}}
    phase, conditions = seen(VM, live("Provisioning", disk=again, known_failure="web-disk-0: got 404"))
    assert (phase, conditions["ImportFailed"][2]) == ("Failed", "web-disk-0: got 404")


def test_a_refused_claim_is_a_failed_import_with_the_clusters_words():
    refused = {
        "metadata": {},
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": "Bound", "status": "False", "reason": "ErrExceededQuota", "message": "exceeded quota: q"}
            ],
        },
    }
    _phase, conditions = seen(VM, live("Provisioning", disk=refused))
    assert conditions["ImportFailed"][2] == "web-disk-0: exceeded quota: q"


def test_an_import_that_a_quota_keeps_from_starting_is_told():
    """The claim was admitted, the pod that fills it was not: only `Running` has the cause."""
    told = "Error starting pod 'importer-prime-1'"
    held = {"phase": "ImportScheduled", "conditions": [
        {"type": "Bound", "status": "False", "reason": "Pending", "message": "target PVC Pending"},
        {"type": "Running", "status": "False", "reason": "ErrExceededQuota", "message": told},
    ]}  # fmt: skip
    phase, conditions = seen(VM, live("Provisioning", disk={"metadata": {}, "status": held}))
    assert (phase, conditions["ImportFailed"][2]) == ("Failed", f"web-disk-0: {told}")


def test_a_volume_that_cdi_removed_left_a_filled_claim():
    found = Live(vm=machine("Running"), claims={"web-disk-0": {"metadata": {}}})
    assert seen(VM, found)[1]["DiskReady"][0] == "True"


def test_what_is_shown_of_a_running_vm():
    instance = {
        "metadata": {"name": "web", "uid": str(UUID(int=9))},
        "status": {
            "nodeName": "node-1",
            "interfaces": [
                {"ipAddress": "10.0.0.1", "ipAddresses": ["10.0.0.1", "fd00::1"]},
                {"ipAddress": "10.0.0.1"},
            ],
            "guestOSInfo": {"prettyName": "Ubuntu 24.04"},
            "conditions": [{"type": "AgentConnected", "status": "True"}],
        },
    }
    outcome = observe(VM, live("Running", instance=instance))
    assert outcome.fields == {
        "ip_addresses": ["10.0.0.1", "fd00::1"],
        "node": "node-1",
        "guest_os": "Ubuntu 24.04",
        "progress": "",
    }
    types = {item.type: item.status for item in outcome.conditions}
    assert types == {"Ready": "True", "DiskReady": "True", "Scheduled": "True", "AgentConnected": "True"}
    assert outcome.settled


def test_a_stopped_vm_shows_no_address():
    off = replace(VM, powered_on=False)
    assert observe(off, live("Stopped")).fields["ip_addresses"] == []


def test_a_pod_without_a_node_says_why():
    pod = {"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]}}  # fmt: skip  # noqa: E501
    assert seen(VM, live("Starting", pods=[pod]))[1]["Scheduled"] == ("False", "Unschedulable", "0/3")


def test_a_failure_of_kubevirt_and_a_refused_start_are_shown():
    failure = {"type": "Failure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    found = Live(vm=machine("Stopped", conditions=[failure]), volumes={"web-disk-0": DONE})
    assert seen(VM, found)[0] == "Failed"
    assert seen(VM, live("Stopped", power_refused="cpu: too many"))[1]["PowerRefused"][2] == "cpu: too many"
