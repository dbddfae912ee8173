"""Promise: a DataVolume is filled from where it says, over that source's own protocol, or tells why not."""

import hashlib
from base64 import b64encode

import pytest
import urllib3

from clusters.sandbox.quantity import parse
from tests.contract.conftest import Cluster
from tests.contract.images import ACCESS_KEY, SECRET_KEY, Images, packed, raw_disk
from tests.contract.machines import PATIENCE, Object, Space, condition, data_volume

VOLUMES = "datavolumes"
TOKENS = "/apis/upload.cdi.kubevirt.io/v1beta1/namespaces/{}/uploadtokenrequests"


def succeeded(here: Space, name: str) -> Object:
    return here.until(VOLUMES, name, lambda dv: dv.get("status", {}).get("phase") == "Succeeded")


def failing(here: Space, name: str) -> str:
    """What a volume that was tried at least once says about it."""
    dv = here.until(
        VOLUMES,
        name,
        lambda found: (
            found.get("status", {}).get("restartCount", 0) >= 1 and condition(found, "Running").get("message")
        ),
    )
    assert dv["status"]["phase"] != "Succeeded"
    return str(condition(dv, "Running")["message"])


def keys(here: Space, name: str, user: str, password: str) -> None:
    data = {"accessKeyId": user, "secretKey": password}
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    here.make("secrets", {"metadata": {"name": name}, "data": encoded})


def test_http_with_a_checksum(here: Space, images: Images) -> None:
    images.files["disk.img"] = disk = raw_disk()
    right = "sha256:" + hashlib.sha256(disk).hexdigest()
    here.make(VOLUMES, data_volume("good", {"http": {"url": f"{images.url}/disk.img", "checksum": right}}))
    assert succeeded(here, "good")["status"]["progress"] == "100.0%"
    wrong = "sha256:" + "0" * 64
    here.make(VOLUMES, data_volume("bad", {"http": {"url": f"{images.url}/disk.img", "checksum": wrong}}))
    dv = here.until(VOLUMES, "bad", lambda found: "checksum" in condition(found, "Running").get("message", ""))
    assert dv["status"]["phase"] != "Succeeded"


def test_http_that_is_not_there_or_not_an_answer(here: Space, images: Images) -> None:
    here.make(VOLUMES, data_volume("gone", {"http": {"url": f"{images.url}/nothing.img"}}))
    here.make(VOLUMES, data_volume("deaf", {"http": {"url": "http://127.0.0.1:9/disk.img"}}))
    assert "expected status code 200, got 404" in failing(here, "gone")
    assert "connection refused" in failing(here, "deaf")


def test_an_image_larger_than_its_volume(here: Space, images: Images) -> None:
    images.files["disk.img"] = raw_disk(8 * 1024**2)
    here.make(VOLUMES, data_volume("tight", {"http": {"url": f"{images.url}/disk.img"}}, size="4Mi"))
    assert failing(here, "tight")


def test_a_silent_host_holds_up_nobody_else(here: Space, images: Images) -> None:
    images.files["disk.img"] = raw_disk()
    for number in range(8):
        here.make(VOLUMES, data_volume(f"silent-{number}", {"http": {"url": f"{images.url}/silent/disk.img"}}))
    here.until(VOLUMES, "silent-7", lambda dv: dv.get("status", {}).get("phase") == "ImportInProgress")
    here.make(VOLUMES, data_volume("quick", {"http": {"url": f"{images.url}/disk.img"}}))
    succeeded(here, "quick")
    assert here.get(VOLUMES, "silent-0")["status"]["phase"] == "ImportInProgress"
    images.silent.set()
    succeeded(here, "silent-0")


def test_registry_by_tag(here: Space, images: Images) -> None:
    images.push("os/small", "1", packed(raw_disk()))
    here.make(VOLUMES, data_volume("disk", {"registry": {"url": f"docker://{images.host}/os/small:1"}}))
    succeeded(here, "disk")
    here.make(VOLUMES, data_volume("none", {"registry": {"url": f"docker://{images.host}/os/small:2"}}))
    assert "manifest unknown" in failing(here, "none")


def test_registry_image_without_a_disk(here: Space, images: Images) -> None:
    images.push("os/app", "1", b"just a program", name="bin/app")
    here.make(VOLUMES, data_volume("app", {"registry": {"url": f"docker://{images.host}/os/app:1"}}))
    assert "Failed to find VM disk image file in the container image" in failing(here, "app")


def test_registry_that_wants_to_know_who_asks(here: Space, images: Images) -> None:
    images.push("os/small", "1", raw_disk())
    images.logins["reader"] = "of-images"
    source = {"url": f"docker://{images.host}/os/small:1"}
    keys(here, "right", "reader", "of-images")
    here.make(VOLUMES, data_volume("known", {"registry": {**source, "secretRef": "right"}}))
    succeeded(here, "known")
    here.make(VOLUMES, data_volume("unknown", {"registry": source}))
    told = failing(here, "unknown")
    assert "authentication required" in told or "unauthorized" in told


def test_s3_with_a_signature(here: Space, images: Images) -> None:
    images.objects["bucket/disks/small.img"] = raw_disk()
    keys(here, "right", ACCESS_KEY, SECRET_KEY)
    keys(here, "wrong", ACCESS_KEY, "guessed")
    base = f"{images.url}/s3/bucket/disks"
    for name, secret, key in (
        ("ok", "right", "small.img"),
        ("lost", "right", "no.img"),
        ("denied", "wrong", "small.img"),
    ):
        here.make(VOLUMES, data_volume(name, {"s3": {"url": f"{base}/{key}", "secretRef": secret}}))
    succeeded(here, "ok")
    assert "NoSuchKey" in failing(here, "lost")
    assert "SignatureDoesNotMatch" in failing(here, "denied")


def test_an_upload_through_the_proxy(here: Space, cluster: Cluster) -> None:
    here.make(VOLUMES, data_volume("disk", {"upload": {}}, size="64Mi"))
    here.until(VOLUMES, "disk", lambda dv: dv.get("status", {}).get("phase") == "UploadReady")
    config = cluster.call("GET", "/apis/cdi.kubevirt.io/v1beta1/cdiconfigs/config").body
    proxy = config["status"].get("uploadProxyURL")
    if not proxy:
        pytest.skip("this cluster does not show its upload proxy")
    url = (proxy if "://" in proxy else f"https://{proxy}") + "/v1beta1/upload"
    http = urllib3.PoolManager(cert_reqs="CERT_NONE", retries=False)

    def send(token: str, content: bytes) -> int:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
        return http.request("POST", url, body=content, headers=headers, timeout=60).status

    assert send("guessed", raw_disk()) == 401
    body = {"metadata": {"name": "disk"}, "spec": {"pvcName": "disk"}}
    asked = cluster.call("POST", TOKENS.format(here.name), body)
    assert asked.status in (200, 201), asked.text
    token = asked.body["status"]["token"]
    assert send(token, raw_disk(128 * 1024**2)) >= 400  # too large for its volume
    assert here.get(VOLUMES, "disk")["status"]["phase"] != "Succeeded"
    here.until(VOLUMES, "disk", lambda dv: dv["status"]["phase"] == "UploadReady")
    assert send(token, raw_disk()) == 200
    succeeded(here, "disk")
    assert send(token, raw_disk()) == 503  # it is full


def test_a_clone_waits_for_its_source_and_may_be_larger(here: Space, images: Images) -> None:
    images.files["disk.img"] = raw_disk()
    source = {"pvc": {"namespace": here.name, "name": "first"}}
    here.make(VOLUMES, data_volume("copy", source, size="2Gi"))
    waiting = here.until(VOLUMES, "copy", lambda dv: condition(dv, "Bound").get("message"))
    assert "phase" not in waiting["status"]
    here.make(VOLUMES, data_volume("first", {"http": {"url": f"{images.url}/disk.img"}}))
    succeeded(here, "copy")
    assert parse(here.get("persistentvolumeclaims", "copy")["status"]["capacity"]["storage"]) == parse("2Gi")


def test_a_clone_of_a_data_source(here: Space, images: Images) -> None:
    images.files["disk.img"] = raw_disk()
    here.make(VOLUMES, data_volume("golden", {"http": {"url": f"{images.url}/disk.img"}}))
    source = {"source": {"pvc": {"namespace": here.name, "name": "golden"}}}
    here.make(
        "datasources",
        {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataSource", "metadata": {"name": "os"}, "spec": source},
    )
    here.until("datasources", "os", lambda found: condition(found, "Ready").get("status") == "True")
    volume = data_volume("mine", {})
    del volume["spec"]["source"]
    volume["spec"]["sourceRef"] = {"kind": "DataSource", "name": "os"}
    here.make(VOLUMES, volume)
    succeeded(here, "mine")


def test_a_blank_disk(here: Space) -> None:
    here.make(VOLUMES, data_volume("empty", {"blank": {}}))
    succeeded(here, "empty")


def test_a_cron_imports_what_the_registry_has_now(here: Space, images: Images) -> None:
    digest = images.push("os/daily", "latest", raw_disk())
    template = data_volume(
        "unused", {"registry": {"url": f"docker://{images.host}/os/daily:latest", "pullMethod": "pod"}}
    )
    spec = {
        "managedDataSource": "daily",
        "schedule": "0 3 * * *",
        "template": {"spec": template["spec"]},
        "garbageCollect": "Outdated",
        "importsToKeep": 1,
    }
    body = {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataImportCron",
        "metadata": {"name": "daily"},
        "spec": spec,
    }
    here.make("dataimportcrons", body)
    cron = here.until(
        "dataimportcrons", "daily", lambda found: condition(found, "UpToDate").get("status") == "True", PATIENCE * 2
    )
    assert cron["status"]["currentImports"][0]["Digest"] == digest
    source = here.until("datasources", "daily", lambda found: condition(found, "Ready").get("status") == "True")
    name = source["spec"]["source"]["pvc"]["name"]
    assert name == f"daily-{digest.removeprefix('sha256:')[:12]}"
    assert here.get(VOLUMES, name)["metadata"]["labels"]["cdi.kubevirt.io/dataImportCron"] == "daily"
