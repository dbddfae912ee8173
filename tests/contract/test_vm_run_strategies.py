"""Promise: what becomes of a machine whose guest ends is what its run strategy says."""

import time

import pytest

from tests.contract.machines import PANICS, SHUTS_DOWN, Space, condition, machine


def test_always_starts_a_guest_again_that_shut_itself_down(here: Space) -> None:
    here.make("virtualmachines", machine("web", user_data=SHUTS_DOWN))
    first = here.instance("web")
    again = here.instance("web", other_than=first["metadata"]["uid"])
    assert again["metadata"]["ownerReferences"][0]["kind"] == "VirtualMachine"
    told = here.told("VirtualMachineInstance", "web", "Stopped")
    assert (told["type"], told["message"]) == ("Normal", "The VirtualMachineInstance was shut down.")
    assert "startFailure" not in here.get("virtualmachines", "web")["status"]  # it ran: that is no failed start


def test_rerun_on_failure_leaves_a_guest_off_that_shut_itself_down(here: Space) -> None:
    here.make("virtualmachines", machine("web", strategy="RerunOnFailure", user_data=SHUTS_DOWN))
    here.instance("web")
    here.printed("web", "Stopped")
    here.until("virtualmachineinstances", "web", lambda vmi: not vmi)
    time.sleep(1)
    vm = here.get("virtualmachines", "web")
    assert (vm["status"]["printableStatus"], vm["spec"]["runStrategy"]) == ("Stopped", "RerunOnFailure")
    assert not here.get("virtualmachineinstances", "web")


def test_once_keeps_the_ended_instance_and_never_starts_it_again(here: Space) -> None:
    here.make("virtualmachines", machine("web", strategy="Once", user_data=SHUTS_DOWN))
    first = here.instance("web")
    here.printed("web", "Stopped")
    time.sleep(1)
    kept = here.get("virtualmachineinstances", "web")
    assert (kept["metadata"]["uid"], kept["status"]["phase"]) == (first["metadata"]["uid"], "Succeeded")
    refused = here.power("web", "start")
    assert refused.status == 409
    assert refused.body["message"].endswith("Once does not support manual start requests")


def test_manual_keeps_the_ended_instance_until_somebody_starts_it(here: Space) -> None:
    here.make("virtualmachines", machine("web", strategy="Manual", user_data=SHUTS_DOWN))
    here.printed("web", "Stopped")
    assert here.power("web", "start").status == 202
    first = here.instance("web")
    here.instance("web", "Succeeded")
    here.printed("web", "Stopped")
    assert here.power("web", "stop").status == 409
    assert here.power("web", "start").status == 202
    here.instance("web", other_than=first["metadata"]["uid"])


def test_halted_stays_off_and_a_changed_strategy_starts_it(here: Space) -> None:
    here.make("virtualmachines", machine("web", strategy="Halted"))
    here.printed("web", "Stopped")
    assert not here.get("virtualmachineinstances", "web")
    assert here.patch("virtualmachines", "web", {"spec": {"runStrategy": "Always"}}).status == 200
    here.printed("web", "Running")
    assert here.patch("virtualmachines", "web", {"spec": {"runStrategy": "Halted"}}).status == 200
    here.printed("web", "Stopped")


def test_a_guest_that_crashes_is_a_failure_and_is_rerun(here: Space) -> None:
    vm = machine("web", strategy="RerunOnFailure", user_data=PANICS)
    vm["spec"]["template"]["spec"]["domain"]["devices"]["panicDevices"] = [{"model": "isa"}]
    gates = here.cluster.call("GET", "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt")
    made = here.cluster.call("POST", here.path("virtualmachines"), vm)
    if made.status == 422:
        pytest.skip(f"this cluster has no panic devices: {gates.status}")
    first = here.instance("web")
    here.instance("web", other_than=first["metadata"]["uid"])
    told = here.told("VirtualMachineInstance", "web", "Stopped")
    assert (told["type"], told["message"]) == ("Warning", "The VirtualMachineInstance crashed.")


def test_an_image_that_cannot_be_pulled_shows_on_the_machine(here: Space) -> None:
    vm = machine("web")
    vm["spec"]["template"]["spec"]["volumes"][0]["containerDisk"]["image"] = "registry.invalid/none:1"
    here.make("virtualmachines", vm)
    names = {"ErrImagePull", "ImagePullBackOff"}
    shown = here.until("virtualmachines", "web", lambda found: found.get("status", {}).get("printableStatus") in names)
    told = condition(shown, "Synchronized")
    assert told["status"] == "False"
    assert told["reason"] in names
    assert "registry.invalid/none:1" in told["message"]
    here.printed("web", "ImagePullBackOff")
