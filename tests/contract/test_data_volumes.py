"""Promise: a DataVolume's claim has the size, class and owner it should, and quotas count all that it takes."""

import pytest

from clusters.sandbox.quantity import parse
from tests.contract.images import Images, raw_disk
from tests.contract.machines import Space, condition, data_volume, machine

VOLUMES, CLAIMS = "datavolumes", "persistentvolumeclaims"


def test_the_claim_belongs_to_its_volume_and_is_bound_when_it_is_full(here: Space, images: Images) -> None:
    images.files["disk.img"] = raw_disk()
    made = here.make(VOLUMES, data_volume("disk", {"http": {"url": f"{images.url}/silent/disk.img"}}))
    here.until(VOLUMES, "disk", lambda dv: dv.get("status", {}).get("phase") == "ImportInProgress")
    claim = here.get(CLAIMS, "disk")
    assert claim["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    if claim["spec"].get("dataSourceRef"):  # filled by a populator: its claim is another one until then
        assert claim["status"]["phase"] == "Pending"
        prime = here.get(CLAIMS, f"prime-{claim['metadata']['uid']}")
        assert prime["spec"]["resources"] == claim["spec"]["resources"]
    images.silent.set()
    dv = here.until(VOLUMES, "disk", lambda found: condition(found, "Bound")["message"] == "PVC disk Bound")
    assert dv["status"]["phase"] == "Succeeded"
    here.until(VOLUMES, "disk", lambda found: condition(found, "Ready")["status"] == "True")
    here.until(CLAIMS, "disk", lambda found: found["status"]["phase"] == "Bound")
    here.until(CLAIMS, f"prime-{claim['metadata']['uid']}", lambda found: not found)


def test_quota_counts_every_claim_of_an_import(here: Space, images: Images) -> None:
    images.files["disk.img"] = raw_disk()
    hard = {"requests.storage": "10Gi", "persistentvolumeclaims": "9"}
    here.make("resourcequotas", {"metadata": {"name": "plan"}, "spec": {"hard": hard}})
    here.until("resourcequotas", "plan", lambda quota: "hard" in quota.get("status", {}))
    here.make(VOLUMES, data_volume("disk", {"http": {"url": f"{images.url}/silent/disk.img"}}, size="2Gi"))
    here.until(VOLUMES, "disk", lambda dv: dv.get("status", {}).get("phase") == "ImportInProgress")
    helpers = [claim for claim in here.all(CLAIMS) if claim["metadata"]["name"].startswith("prime-")]
    used = here.get("resourcequotas", "plan")["status"]["used"]
    assert used["persistentvolumeclaims"] == str(1 + len(helpers))
    images.silent.set()
    here.until(VOLUMES, "disk", lambda found: found["status"]["phase"] == "Succeeded")
    here.until("resourcequotas", "plan", lambda quota: quota["status"]["used"]["persistentvolumeclaims"] == "1")


def test_a_volume_over_quota_waits_with_the_quotas_words(here: Space) -> None:
    here.make("resourcequotas", {"metadata": {"name": "plan"}, "spec": {"hard": {"requests.storage": "1Gi"}}})
    here.until("resourcequotas", "plan", lambda quota: "hard" in quota.get("status", {}))
    here.make(VOLUMES, data_volume("big", {"blank": {}}, size="5Gi"))
    dv = here.until(VOLUMES, "big", lambda found: condition(found, "Bound").get("reason") == "ErrExceededQuota")
    assert "exceeded quota: plan, requested: requests.storage=5368709120" in condition(dv, "Bound")["message"]
    assert condition(dv, "Ready")["reason"] == "ErrExceededQuota"
    assert "reason" not in condition(dv, "Running")
    assert (dv["status"]["phase"], "progress" in dv["status"]) == ("Pending", False)
    assert here.patch("resourcequotas", "plan", {"spec": {"hard": {"requests.storage": "50Gi"}}}).status == 200
    here.until(VOLUMES, "big", lambda found: found["status"]["phase"] == "Succeeded")


def test_an_import_without_room_for_its_pod_waits_and_says_why(here: Space) -> None:
    """The claim is there, so Bound has no cause; the quota's own words are for the admin only."""
    here.make("resourcequotas", {"metadata": {"name": "plan"}, "spec": {"hard": {"pods": "0"}}})
    here.until("resourcequotas", "plan", lambda quota: "hard" in quota.get("status", {}))
    here.make(VOLUMES, data_volume("disk", {"blank": {}}))
    dv = here.until(VOLUMES, "disk", lambda found: condition(found, "Running").get("reason") == "ErrExceededQuota")
    assert condition(dv, "Running")["message"].startswith("Error starting pod 'importer-prime-")
    assert "exceeded quota" not in condition(dv, "Running")["message"]
    assert condition(dv, "Bound")["reason"] == "Pending"
    dv = here.until(VOLUMES, "disk", lambda found: found["status"].get("phase") == "ImportScheduled")
    assert dv["status"]["progress"] == "N/A"


def test_an_import_without_room_for_its_helper_claim_says_nothing(here: Space) -> None:
    here.make("resourcequotas", {"metadata": {"name": "plan"}, "spec": {"hard": {"persistentvolumeclaims": "1"}}})
    here.until("resourcequotas", "plan", lambda quota: "hard" in quota.get("status", {}))
    here.make(VOLUMES, data_volume("disk", {"blank": {}}))
    told = here.told("PersistentVolumeClaim", "disk", "ErrCreatingPVCPrime")
    assert "exceeded quota: plan" in told["message"]
    dv = here.until(VOLUMES, "disk", lambda found: condition(found, "Bound").get("reason") == "Pending")
    assert condition(dv, "Bound")["message"] == "PVC disk Pending"
    assert [condition(dv, kind).get("reason") for kind in ("Ready", "Running")] == [None, None]


def test_a_volume_of_the_wrong_shape_is_refused(here: Space) -> None:
    two = data_volume("two", {"blank": {}, "upload": {}})
    refused = here.cluster.call("POST", here.path(VOLUMES), two)
    assert refused.status == 422
    assert "Multiple Data volume sources" in refused.body["message"]
    here.make(VOLUMES, data_volume("disk", {"blank": {}}))
    changed = here.patch(VOLUMES, "disk", {"spec": {"source": {"blank": None, "upload": {}}}})
    assert changed.status == 422
    assert "Cannot update DataVolume Spec" in changed.body["message"]


def test_a_lazy_class_waits_for_the_machine_that_uses_it(here: Space) -> None:
    classes = here.cluster.call("GET", "/apis/storage.k8s.io/v1/storageclasses").body["items"]
    lazy = [item["metadata"]["name"] for item in classes if item["volumeBindingMode"] == "WaitForFirstConsumer"]
    if not lazy:
        pytest.skip("no class of this cluster waits for a consumer")
    here.make(VOLUMES, data_volume("disk", {"blank": {}}, storageClassName=lazy[0]))
    waits = {"PendingPopulation", "WaitForFirstConsumer"}
    here.until(VOLUMES, "disk", lambda dv: dv.get("status", {}).get("phase") in waits)
    vm = machine("web")
    spec = vm["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "data", "dataVolume": {"name": "disk"}})
    spec["domain"]["devices"]["disks"].append({"name": "data", "disk": {"bus": "virtio"}})
    here.make("virtualmachines", vm)
    here.printed("web", "Running")
    assert here.get(VOLUMES, "disk")["status"]["phase"] == "Succeeded"
    size = here.get(CLAIMS, "disk")
    if size["spec"].get("volumeMode") != "Block":  # a file system needs room for itself
        assert parse(size["spec"]["resources"]["requests"]["storage"]) > parse("1Gi")


def test_a_filled_claim_grows_when_it_is_asked_to(here: Space) -> None:
    here.make(VOLUMES, data_volume("disk", {"blank": {}}))
    here.until(
        VOLUMES, "disk", lambda found: found["status"].get("phase") == "Succeeded" if found.get("status") else False
    )
    name = here.get(CLAIMS, "disk")["spec"]["storageClassName"]
    classes = here.cluster.call("GET", f"/apis/storage.k8s.io/v1/storageclasses/{name}").body
    larger = {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}
    answer = here.patch(CLAIMS, "disk", larger)
    if not classes.get("allowVolumeExpansion"):
        assert answer.status == 403
        return
    assert answer.status == 200
    here.until(CLAIMS, "disk", lambda found: parse(found["status"]["capacity"]["storage"]) == parse("3Gi"))
    assert here.patch(CLAIMS, "disk", {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}).status == 422
