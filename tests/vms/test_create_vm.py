"""Making a VM through the API: what comes to be, what is refused and why, and that nothing is half made."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters.models import WorkItem
from core.models import AuditEntry
from tests.cast import make_cluster
from tests.domain import KEY, a_vdc, a_vm, an_item, an_organization
from vdcs.models import QuotaClaim, QuotaScope
from vdcs.quotas import recount
from vms.models import Disk, VirtualMachine

pytestmark = pytest.mark.django_db


@pytest.fixture
def vdc(cluster):
    return a_vdc(limits={"cpu": 8, "memory_mib": 8192, "disk_gib": 100, "vms": 5})


@pytest.fixture
def item(cluster):
    return an_item(user_data="#cloud-config\nssh_pwauth: false\n")


@pytest.fixture
def post(api, vdc, item):
    client = api("bob")

    def send(**changes):
        body = {"vdc": str(vdc.pk), "name": "web", "catalog_item": str(item.pk)} | changes
        return client.post("vms", {key: value for key, value in body.items() if value is not ...})

    return send


def nothing_was_made():
    assert not VirtualMachine.objects.exists()
    assert not Disk.objects.exists()
    assert not QuotaClaim.objects.exists()
    assert not WorkItem.objects.filter(kind="vm").exists()
    assert recount() == []


def test_a_vm_is_rows_claims_and_a_wish(post, vdc, item, bob):
    answer = post(cpu=2, memory="2Gi", ssh_keys=[KEY])
    assert answer.status_code == 201, answer.content
    assert answer.headers["ETag"] == '"1"'
    body = answer.json()
    assert (body["cpu"], body["memory_mib"], body["disk_gib"], body["phase"]) == (2, 2048, 4, "Pending")
    assert body["user_data"] == item.user_data
    assert body["ssh_keys"] == [KEY]
    assert [disk["size_gib"] for disk in body["disks"]] == [4]
    assert body["owner"] == str(bob.user_id)
    scope = QuotaScope.objects.get(vdc=vdc)
    assert scope.allocated == {"cpu": 2, "memory_mib": 2048, "vms": 1, "running_vms": 0, "disk_gib": 4}
    assert scope.active == {"cpu": 2, "memory_mib": 2048, "vms": 0, "running_vms": 1, "disk_gib": 0}
    assert recount() == []
    assert WorkItem.objects.filter(kind="vm", object_id=body["id"]).exists()
    entry = AuditEntry.objects.get(action="vm.create")
    assert entry.after is not None
    assert (entry.actor_name, entry.object_name, entry.after["user_data"]) == ("bob", "web", "•••")


def test_it_reads_back_what_was_given(post, api):
    given = {
        "display_name": "Webserver", "description": "of the shop", "cpu": 1, "memory_mib": 512, "disk_gib": 10,
        "power_state": "off", "user_data": "#cloud-config\nhostname: shop\n", "ssh_keys": [KEY],
    }  # fmt: skip
    made = post(**given).json()
    assert {key: made[key] for key in given} == given
    assert api("bob").get(f"vms/{made['id']}").json() == made


def test_an_image_url_instead_of_an_item(post, settings):
    settings.OVIM_IMAGE_HOSTS = ()
    answer = post(catalog_item=..., image_url="https://images.example.org/a.qcow2", cpu=1, memory="1Gi", disk="10Gi")
    assert answer.status_code == 201, answer.content
    assert answer.json()["disks"][0]["image_url"] == "https://images.example.org/a.qcow2"


def test_creating_takes_as_many_queries_among_many_vms_as_among_none(api, vdc, item):
    client = api("alice")

    def queries(name):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert (
                client.post("vms", {"vdc": str(vdc.pk), "name": name, "catalog_item": str(item.pk)}).status_code == 201
            )
        return len(captured)

    first = queries("one")
    assert first <= 20
    for name in ("two", "three", "four"):
        assert queries(name) == first, name


REFUSED = [
    ({"name": "Web"}, 422, "name", "dns_label"),
    ({"name": "-web"}, 422, "name", "dns_label"),
    ({"name": "a" * 64}, 422, "name", None),
    ({"name": ""}, 422, "name", None),
    ({"name": 5}, 422, "name", None),
    ({"name": "a\nb"}, 422, "name", "dns_label"),
    ({"name": "web\n"}, 422, "name", None),
    ({"name": "a\x00"}, 422, "name", None),
    ({"name": ...}, 422, "name", "required"),
    ({"colour": "red"}, 422, "colour", "unknown_field"),
    ({"cpu": 0}, 422, "cpu", "range"),
    ({"cpu": -1}, 422, "cpu", None),
    ({"cpu": 10**12}, 422, "cpu", None),
    ({"cpu": 1.5}, 422, "cpu", None),
    ({"cpu": True}, 422, "cpu", None),
    ({"cpu": "500m"}, 422, "cpu", "quantity"),
    ({"cpu": 513}, 422, "cpu", "range"),
    ({"memory": "1000"}, 422, "memory", "quantity"),
    ({"memory": "two"}, 422, "memory", "quantity"),
    ({"memory": "1Gi", "memory_mib": 1024}, 422, "memory", "one_of"),
    ({"memory_mib": 1}, 422, "memory_mib", "range"),
    ({"memory_mib": 2**31}, 422, "memory_mib", None),
    ({"disk_gib": 1}, 422, "disk_gib", "image_size"),
    ({"disk_gib": 0}, 422, "disk_gib", "range"),
    ({"disk_gib": 10**9}, 422, "disk_gib", "range"),
    ({"power_state": "suspended"}, 422, "power_state", None),
    ({"user_data": "#!/bin/sh"}, 422, "user_data", "cloud_init"),
    ({"user_data": "#cloud-config\na: [1\nb: 2\n"}, 422, "user_data", "cloud_init"),
    ({"user_data": "#cloud-config\n- a\n"}, 422, "user_data", "cloud_init"),
    ({"user_data": "#cloud-config\na: " + "x" * 70000}, 422, "user_data", None),
    ({"ssh_keys": ["nonsense"]}, 422, "ssh_keys[0]", "ssh_key"),
    ({"ssh_keys": "ssh-ed25519 AAAA"}, 422, "ssh_keys", None),
    ({"vdc": str(uuid4())}, 422, "vdc", "not_found"),
    ({"vdc": "dev"}, 422, "vdc", None),
    ({"catalog_item": str(uuid4())}, 422, "catalog_item", "not_found"),
    ({"catalog_item": ...}, 422, "catalog_item", "one_of"),
    ({"catalog_item": ..., "image_url": "https://images.example.org/a"}, 422, "cpu", "required"),
    ({"catalog_item": ..., "image_url": "file:///etc/passwd"}, 422, "image_url", "scheme"),
    ({"catalog_item": ..., "image_url": "http://169.254.169.254/latest"}, 422, "image_url", "host"),
    ({"catalog_item": ..., "image_url": "http://[::1]/a"}, 422, "image_url", "host"),
    ({"catalog_item": ..., "image_url": "http://127.1/a"}, 422, "image_url", "host"),
    ({"catalog_item": ..., "image_url": "http://10.0.0.8/a"}, 422, "image_url", "host"),
    ({"catalog_item": ..., "image_url": "http://kubernetes.default.svc/a"}, 422, "image_url", "host"),
    ({"catalog_item": ..., "image_url": "https://me:pw@images.example.org/a"}, 422, "image_url", "host"),
    ({"storage_class": "x" * 300}, 422, "storage_class", None),
    ({"cpu": 9}, 422, "cpu", "quota"),
    ({"memory_mib": 8193}, 422, "memory_mib", "quota"),
    ({"disk_gib": 101}, 422, "disk_gib", "quota"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_by_field_and_rule(post, settings, case):
    changes, status, field, rule = case
    settings.OVIM_IMAGE_HOSTS = ()
    answer = post(**changes)
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    error = answer.json()["errors"][0]
    assert error["field"] == field
    assert rule is None or error["rule"] == rule, error
    assert error["message"]
    nothing_was_made()


def test_everything_that_is_wrong_is_told_at_once(post):
    answer = post(colour="red", name="Web", memory="1500M")
    assert answer.status_code == 422
    told = {(error["field"], error["rule"]) for error in answer.json()["errors"]}
    assert told == {("colour", "unknown_field"), ("name", "dns_label"), ("memory", "quantity")}


def test_bad_cloud_init_names_its_line(post):
    message = post(user_data="#cloud-config\nusers:\n  - name: a\n bad: b\n").json()["errors"][0]["message"]
    assert "line 4" in message


def test_a_quota_one_unit_short_says_what_would_fit(post, api, vdc):
    assert post(cpu=7, name="big").status_code == 201
    answer = post(cpu=2)
    assert answer.status_code == 422
    body = answer.json()
    assert body["code"] == "quota_exceeded"
    (shortage,) = body["quota"]
    assert shortage == {
        "resource": "cpu", "level": "vdc", "scope": "dev", "ledger": "allocated", "limit": 8, "used": 7,
        "requested": 2, "short_by": 1, "fits": 1, "who_can_change": "An organization admin",
    }  # fmt: skip
    assert post(cpu=1).status_code == 201


def test_every_limit_that_refuses_is_told(post):
    names = {item["resource"] for item in post(cpu=9, memory_mib=9000, disk_gib=101).json()["quota"]}
    assert names == {"cpu", "memory_mib", "disk_gib"}


def test_a_duplicate_name_is_a_conflict(post):
    assert post().status_code == 201
    answer = post()
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "name")
    assert VirtualMachine.objects.count() == 1
    assert recount() == []


def test_another_tenants_vdc_and_item_do_not_exist(api, cluster, item):
    globex = an_organization("globex")
    theirs = a_vdc("main", organization=globex)
    secret = an_item("theirs", organization=globex)
    answer = api("bob").post("vms", {"vdc": str(theirs.pk), "name": "a", "catalog_item": str(item.pk)})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "vdc")
    own = a_vdc("own")
    answer = api("alice").post("vms", {"vdc": str(own.pk), "name": "a", "catalog_item": str(secret.pk)})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "catalog_item")
    nothing_was_made()


def test_in_a_vdc_that_is_going_away_nothing_is_made(api, vdc, item):
    assert api("alice").delete(f"vdcs/{vdc.pk}").status_code == 202
    answer = api("alice").post("vms", {"vdc": str(vdc.pk), "name": "a", "catalog_item": str(item.pk)})
    assert answer.status_code == 409
    nothing_was_made()


def test_malformed_and_oversized_bodies(api, vdc):
    client = api("bob")
    answer = client._client.post("/api/v1/vms", data=b"{", content_type="application/json", headers=client.headers)
    assert answer.status_code == 400
    answer = client._client.post(
        "/api/v1/vms", data=b'"' + b"x" * (20 * 1024 * 1024) + b'"', content_type="application/json",
        headers=client.headers,
    )  # fmt: skip
    assert 400 <= answer.status_code < 500


def test_long_names_still_have_disks_with_names_of_their_own(cluster):
    vdc = a_vdc(limits={})
    one, two = (a_vm(vdc, "a" * 62 + end) for end in "bc")
    names = [vm.disks.get().name for vm in (one, two)]
    assert all(len(name) <= 63 for name in names)
    assert names[0] != names[1]
    assert make_cluster().pk == vdc.cluster_id
