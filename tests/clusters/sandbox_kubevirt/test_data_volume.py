"""DataVolumes import real images, and fail as CDI's do."""

import gzip
import hashlib
from pathlib import Path

import pytest

from tests.clusters.sandbox_kubevirt.conftest import CDI, Api, Object, condition, data_volume


def path(namespace: str, name: str = "") -> str:
    return f"{CDI}/namespaces/{namespace}/datavolumes" + (f"/{name}" if name else "")


def test_an_http_image_is_imported_into_a_claim_it_owns(sandbox: Api, namespace: str, images: tuple[str, Path]) -> None:
    volume = sandbox.post(path(namespace), data_volume("root", {"http": {"url": f"{images[0]}/demo.qcow2"}}))
    done = sandbox.wait(path(namespace, "root"), lambda dv: dv.get("status", {}).get("phase") == "Succeeded")
    assert done["status"]["progress"] == "100.0%"
    assert condition(done, "Bound")["message"] == "PVC root Bound"
    assert condition(done, "Ready")["status"] == "True"
    assert {key: condition(done, "Running")[key] for key in ("status", "reason", "message")} == {
        "status": "False",
        "reason": "Completed",
        "message": "Import Complete",
    }
    claim = sandbox.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/root")
    assert claim["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": "DataVolume",
            "name": "root",
            "uid": volume["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert claim["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteMany"],
        "capacity": {"storage": str(10 * 1024**3)},
    }


def failing(sandbox: Api, namespace: str, name: str) -> str:
    """The message of a volume whose import failed at least once; the phase stays, as the pod restarts in place."""
    bad = sandbox.wait(path(namespace, name), lambda dv: dv.get("status", {}).get("restartCount", 0) >= 1)
    assert bad["status"]["phase"] == "ImportInProgress"
    running = condition(bad, "Running")
    assert (running["status"], running["reason"]) == ("False", "Error")
    return str(running["message"])


def test_a_missing_image_says_404_and_is_tried_again(sandbox: Api, namespace: str, images: tuple[str, Path]) -> None:
    sandbox.post(path(namespace), data_volume("gone", {"http": {"url": f"{images[0]}/no.qcow2"}}))
    assert failing(sandbox, namespace, "gone") == (
        "Unable to connect to http data source: expected status code 200, got 404. Status: 404 File not found"
    )
    sandbox.wait(path(namespace, "gone"), lambda dv: dv["status"].get("restartCount", 0) >= 2)


def test_a_source_nobody_listens_on_says_so(sandbox: Api, namespace: str) -> None:
    sandbox.post(path(namespace), data_volume("deaf", {"http": {"url": "http://127.0.0.1:9/x.qcow2"}}))
    assert failing(sandbox, namespace, "deaf") == (
        'Unable to connect to http data source: HTTP request errored: Get "http://127.0.0.1:9/x.qcow2": '
        "dial tcp 127.0.0.1:9: connect: connection refused"
    )


def test_a_disk_larger_than_its_claim_says_so(sandbox: Api, namespace: str, images: tuple[str, Path]) -> None:
    sandbox.post(path(namespace), data_volume("small", {"http": {"url": f"{images[0]}/demo.qcow2"}}, size="1Gi"))
    assert failing(sandbox, namespace, "small") == "DataVolume too small to contain image"


def test_a_truncated_image_is_not_taken_for_whole(sandbox: Api, namespace: str, images: tuple[str, Path]) -> None:
    whole = (images[1] / "demo.qcow2").read_bytes()
    (images[1] / "cut.qcow2").write_bytes(whole[: len(whole) // 2])
    sandbox.post(path(namespace), data_volume("cut", {"http": {"url": f"{images[0]}/cut.qcow2"}}))
    assert failing(sandbox, namespace, "cut").startswith(
        "Unable to process data: Unable to convert source data to target format: "
    )


def test_a_packed_raw_image_is_unpacked(sandbox: Api, namespace: str, images: tuple[str, Path]) -> None:
    (images[1] / "raw.gz").write_bytes(gzip.compress(bytes(4 * 1024**2)))
    sandbox.post(path(namespace), data_volume("packed", {"http": {"url": f"{images[0]}/raw.gz"}}, size="1Gi"))
    sandbox.wait(path(namespace, "packed"), lambda dv: dv.get("status", {}).get("phase") == "Succeeded")


@pytest.mark.parametrize("right", [True, False])
def test_a_checksum_is_verified(sandbox: Api, namespace: str, images: tuple[str, Path], right: bool) -> None:
    found = hashlib.sha256((images[1] / "demo.qcow2").read_bytes()).hexdigest()
    wanted = found if right else "0" * 64
    source = {"http": {"url": f"{images[0]}/demo.qcow2", "checksum": f"sha256:{wanted}"}}
    sandbox.post(path(namespace), data_volume("sum", source))
    done = sandbox.wait(path(namespace, "sum"), lambda dv: dv.get("status", {}).get("phase") in ("Succeeded", "Failed"))
    assert done["status"]["phase"] == ("Succeeded" if right else "Failed")
    if not right:
        assert condition(done, "Running")["message"] == (
            "Unable to process data: checksum validation failed: checksum mismatch: "
            f"expected sha256:{wanted}, calculated sha256:{found}"
        )


def test_a_clone_waits_for_its_source_in_another_namespace(
    sandbox: Api, namespace: str, images: tuple[str, Path]
) -> None:
    other = namespace + "-copy"
    sandbox.post("/api/v1/namespaces", {"metadata": {"name": other}})
    clone = data_volume("copy", {"pvc": {"namespace": namespace, "name": "origin"}})
    sandbox.post(path(other), clone)
    sandbox.post(path(namespace), data_volume("origin", {"http": {"url": f"{images[0]}/demo.qcow2"}}))
    done = sandbox.wait(path(other, "copy"), lambda dv: dv.get("status", {}).get("phase") == "Succeeded")
    assert condition(done, "Running")["message"] == "Clone Complete"


def test_a_blank_disk_needs_no_source(sandbox: Api, namespace: str) -> None:
    sandbox.post(path(namespace), data_volume("empty", {"blank": {}}))
    sandbox.wait(path(namespace, "empty"), lambda dv: dv.get("status", {}).get("phase") == "Succeeded")


def test_a_quota_refusal_is_told_and_healed_when_the_quota_grows(sandbox: Api, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    sandbox.post(quotas, {"metadata": {"name": "plan"}, "spec": {"hard": {"requests.storage": "5Gi"}}})
    sandbox.wait(f"{quotas}/plan", lambda quota: "hard" in quota.get("status", {}))
    sandbox.post(path(namespace), data_volume("big", {"blank": {}}))
    told = sandbox.wait(path(namespace, "big"), lambda dv: condition(dv, "Bound").get("reason") == "ErrExceededQuota")
    assert told["status"]["phase"] == "Pending"
    assert condition(told, "Bound")["message"] == (
        'persistentvolumeclaims "big" is forbidden: exceeded quota: plan, requested: requests.storage=10737418240, '
        "used: requests.storage=0, limited: requests.storage=5Gi"
    )
    sandbox.patch(f"{quotas}/plan", {"spec": {"hard": {"requests.storage": "50Gi"}}})
    sandbox.wait(path(namespace, "big"), lambda dv: dv["status"]["phase"] == "Succeeded")


def test_a_deleted_volume_takes_its_claim_and_its_disk_along(sandbox: Api, namespace: str) -> None:
    sandbox.post(path(namespace), data_volume("bye", {"blank": {}}))
    sandbox.wait(path(namespace, "bye"), lambda dv: dv.get("status", {}).get("phase") == "Succeeded")
    claim = sandbox.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/bye")
    assert sandbox.call("DELETE", path(namespace, "bye"))[0] == 200
    sandbox.wait(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/bye", lambda found: not found)
    sandbox.wait(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}", lambda found: not found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": {"blank": {}, "upload": {}}}, "Multiple Data volume sources"),
        ({"source": None}, "Data volume should have either Source or SourceRef, or be externally populated"),
        ({"storage": {}}, "Storage size is missing"),
        ({"storage": {"resources": {"requests": {"storage": "0"}}}}, "Storage size can't be equal or less than zero"),
    ],
)
def test_a_senseless_volume_is_refused_at_once(sandbox: Api, namespace: str, change: Object, message: str) -> None:
    body = data_volume("bad", {"blank": {}})
    body["spec"] = {key: value for key, value in (body["spec"] | change).items() if value is not None}
    code, answer = sandbox.call("POST", path(namespace), body)
    assert code == 422
    assert (
        answer["message"] == f'admission webhook "datavolume-validate.cdi.kubevirt.io" denied the request:  {message}'
    )


def test_a_volume_s_spec_never_changes(sandbox: Api, namespace: str) -> None:
    sandbox.post(path(namespace), data_volume("fixed", {"blank": {}}))
    bigger = {"spec": {"storage": {"resources": {"requests": {"storage": "20Gi"}}}}}
    code, answer = sandbox.patch(path(namespace, "fixed"), bigger)
    assert (code, answer["details"]["causes"][0]["message"]) == (422, "Cannot update DataVolume Spec")
