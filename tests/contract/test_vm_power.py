"""Promise: power verbs act once, say why they can't, and leave the marks virt-api leaves."""

from tests.contract.machines import Space, condition, machine

INSTANCES = "virtualmachineinstances"


def _why(answer: object) -> str:
    return str(answer.body["message"])  # type: ignore[attr-defined]


def test_verbs_about_a_machine_that_is_not_there(here: Space) -> None:
    for verb in ("start", "stop", "restart"):
        refused = here.power("nobody", verb)
        assert refused.status == 404
        assert _why(refused) == 'virtualmachine.kubevirt.io "nobody" not found'
    for verb in ("pause", "unpause", "softreboot", "freeze"):
        assert here.power("nobody", verb, kind=INSTANCES).status == 404


def test_start_and_stop_edit_the_strategy_of_an_always_machine(here: Space) -> None:
    here.make("virtualmachines", machine("web", strategy="Halted"))
    here.printed("web", "Stopped")
    assert _why(here.power("web", "stop")).endswith("VM is not running")
    assert _why(here.power("web", "restart")).endswith("RunStategy Halted does not support manual restart requests")
    assert here.power("web", "start").status == 202
    assert here.printed("web", "Running")["spec"]["runStrategy"] == "Always"
    refused = here.power("web", "start")
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")
    assert _why(refused).endswith("VM is already running")
    assert here.power("web", "stop").status == 202
    assert here.printed("web", "Stopped")["spec"]["runStrategy"] == "Halted"


def test_a_restart_is_a_request_that_goes_when_it_is_done(here: Space) -> None:
    here.make("virtualmachines", machine("web"))
    first = here.instance("web")
    here.printed("web", "Running")
    assert here.power("web", "restart", {"gracePeriodSeconds": 3}).status == 400
    assert here.power("web", "restart").status == 202
    here.instance("web", other_than=first["metadata"]["uid"])
    vm = here.until("virtualmachines", "web", lambda vm: not vm["status"].get("stateChangeRequests"))
    assert vm["spec"]["runStrategy"] == "Always"


def test_a_dry_run_changes_nothing(here: Space) -> None:
    here.make("virtualmachines", machine("web", strategy="Halted"))
    here.printed("web", "Stopped")
    assert here.power("web", "start", {"dryRun": ["All"]}).status == 202
    assert here.get("virtualmachines", "web")["spec"]["runStrategy"] == "Halted"


def test_a_machine_can_start_paused(here: Space) -> None:
    here.make("virtualmachines", machine("web", strategy="Halted"))
    here.printed("web", "Stopped")
    assert here.power("web", "start", {"paused": True}).status == 202
    vm = here.printed("web", "Paused")
    assert vm["spec"]["runStrategy"] == "Always"
    assert here.power("web", "unpause", kind=INSTANCES).status == 200
    here.printed("web", "Running")


def test_pause_and_unpause_know_the_state_they_find(here: Space) -> None:
    here.make("virtualmachines", machine("web"))
    here.printed("web", "Running")
    assert _why(here.power("web", "unpause", kind=INSTANCES)).endswith("VMI is not paused")
    assert here.power("web", "pause", kind=INSTANCES).status == 200
    assert condition(here.printed("web", "Paused"), "Paused")["reason"] == "PausedByUser"
    assert _why(here.power("web", "pause", kind=INSTANCES)).endswith("VMI is already paused")
    assert _why(here.power("web", "softreboot", kind=INSTANCES)).endswith("VMI is paused")
    assert here.power("web", "unpause", kind=INSTANCES).status == 200
    assert not condition(here.printed("web", "Running"), "Paused")


def test_a_reboot_keeps_the_instance(here: Space) -> None:
    here.make("virtualmachines", machine("web"))
    first = here.instance("web")
    connected = lambda vmi: condition(vmi, "AgentConnected").get("status") == "True"  # noqa: E731
    here.until(INSTANCES, "web", connected)
    for verb in ("softreboot", "reset"):
        assert here.power("web", verb, kind=INSTANCES).status == 200
        here.until(INSTANCES, "web", lambda vmi: not connected(vmi))
        after = here.until(INSTANCES, "web", connected)
        assert (after["metadata"]["uid"], after["status"]["phase"]) == (first["metadata"]["uid"], "Running")


def test_the_agent_tells_system_users_and_file_systems(here: Space) -> None:
    here.make("virtualmachines", machine("web", strategy="Halted"))
    here.printed("web", "Stopped")
    assert here.asks("web", "guestosinfo").status == 500  # virt-api wraps every refusal of these into a 500
    here.power("web", "start")
    here.until(INSTANCES, "web", lambda vmi: condition(vmi, "AgentConnected").get("status") == "True")
    system = here.asks("web", "guestosinfo").body
    assert system["hostname"]
    assert system["os"]["name"]
    assert system["guestAgentVersion"]
    assert isinstance(here.asks("web", "userlist").body["items"], list)
    mounts = here.asks("web", "filesystemlist").body["items"]
    root = next(item for item in mounts if item["mountPoint"] == "/")
    assert 0 < root["usedBytes"] < root["totalBytes"]
    status = here.get(INSTANCES, "web")["status"]
    assert status["guestOSInfo"]["name"] == system["os"]["name"]
    assert "guest-agent" in status["interfaces"][0]["infoSource"]


def test_nobody_but_kubevirt_changes_a_running_instance(here: Space) -> None:
    here.make("virtualmachines", machine("web"))
    here.instance("web")
    refused = here.patch(INSTANCES, "web", {"spec": {"terminationGracePeriodSeconds": 7}})
    assert refused.status == 422
    assert refused.body["message"].endswith("denied the request: update of VMI object is restricted")


def test_discovery_lists_the_subresources(here: Space) -> None:
    found = here.cluster.call("GET", "/apis/subresources.kubevirt.io/v1")
    assert found.status == 200
    names = {item["name"] for item in found.body["resources"]}
    assert {"virtualmachines/start", "virtualmachines/restart", "virtualmachineinstances/pause"} <= names
    groups = {group["name"] for group in here.cluster.call("GET", "/apis").body["groups"]}
    assert "subresources.kubevirt.io" in groups
