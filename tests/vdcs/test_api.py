"""VDCs, quotas and catalogs through the API: what each door lets in and refuses."""

from uuid import uuid4

import pytest

from clusters.models import NamespaceAllotment, Placement, WorkItem
from core.models import AuditEntry
from tests.cast import make_cluster
from tests.domain import a_vdc, a_vm, an_item, an_organization
from vdcs.models import QuotaScope, Vdc
from vms.services import release_active

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization(cluster):
    return an_organization()


@pytest.fixture
def new(organization):
    return {"organization": str(organization.pk), "name": "lab"}


def refused(answer, status, field=None, rule=None):
    assert answer.status_code == status, answer.content
    body = answer.json()
    if field is not None:
        assert body["errors"][0]["field"] == field
    if rule is not None:
        assert body["errors"][0]["rule"] == rule
    return body


def test_a_vdc_is_a_namespace_a_quota_and_a_wish(api, new, organization):
    limits = {"cpu": 4, "memory_mib": "8Gi", "disk_gib": 50, "disk_gib/fast": 10}
    answer = api("alice").post("vdcs", new | {"limits": limits, "network_mode": "isolated", "max_disk_gib": 20})
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert body["limits"] == limits | {"memory_mib": 8192}
    assert (body["namespace"], body["phase"], body["network_mode"], body["max_disk_gib"]) == (
        "acme-lab", "Pending", "isolated", 20,
    )  # fmt: skip
    vdc = Vdc.objects.get(pk=body["id"])
    assert NamespaceAllotment.objects.get(owner_kind="vdc", owner_id=vdc.pk).name == "acme-lab"
    assert vdc.placement == Placement.objects.get(owner_id=organization.pk)
    assert set(WorkItem.objects.values_list("kind", flat=True)) == {"namespace-access", "placed-organization", "vdc"}
    assert AuditEntry.objects.filter(action="vdc.create", object_name="lab").exists()
    assert api("alice").get(f"vdcs/{vdc.pk}").json() == body
    assert api("charlie").get(f"vdcs/{vdc.pk}").status_code == 404


def test_two_organizations_whose_names_run_together_share_no_namespace(cluster):
    one = a_vdc("c", organization=an_organization("a-b"))
    two = a_vdc("b-c", organization=an_organization("a"))
    assert one.namespace == "a-b-c"
    assert two.namespace != one.namespace
    assert two.namespace.startswith("a-b-c-")


def test_long_names_fit(cluster):
    vdc = a_vdc("v" * 63, organization=an_organization("o" * 63))
    assert len(vdc.namespace) <= 63


BAD = [
    ({"name": "Lab"}, "name"),
    ({"name": "a" * 64}, "name"),
    ({"organization": str(uuid4())}, "organization"),
    ({"limits": {"ram": 1}}, "limits.ram"),
    ({"limits": {"cpu": -1}}, "limits.cpu"),
    ({"limits": {"cpu": 1.5}}, "limits.cpu"),
    ({"limits": {"cpu": True}}, "limits.cpu"),
    ({"limits": {"cpu": 2**60}}, "limits.cpu"),
    ({"limits": {"memory_mib": "1G"}}, "limits.memory_mib"),
    ({"limits": {"disk_gib/": 1}}, "limits.disk_gib/"),
    ({"limits": {"cpu/fast": 1}}, "limits.cpu/fast"),
    ({"limits": [1]}, "limits"),
    ({"enforcement": "sometimes"}, "enforcement"),
    ({"network_mode": "custom"}, "network_mode"),
    ({"min_disk_gib": 10, "max_disk_gib": 5}, "min_disk_gib"),
    ({"min_disk_gib": 0}, "min_disk_gib"),
    ({"cluster": str(uuid4())}, "cluster"),
    ({"owner": "me"}, "owner"),
]


@pytest.mark.parametrize("case", BAD, ids=[f"{field}-{number}" for number, (_, field) in enumerate(BAD)])
def test_bad_input_is_refused_by_field(api, new, case):
    changes, field = case
    refused(api("alice").post("vdcs", new | changes), 422, field)
    assert not Vdc.objects.filter(name="lab").exists()
    assert not QuotaScope.objects.exclude(vdc=None).exists()


def test_a_name_is_given_once(api, new):
    assert api("alice").post("vdcs", new).status_code == 201
    refused(api("alice").post("vdcs", new), 409, "name", "unique")


def test_edits_are_checked_against_the_etag(api, new):
    made = api("alice").post("vdcs", new).json()
    client = api("alice")
    answer = client.patch(f"vdcs/{made['id']}", {"description": "lab"}, If_Match='"1"')
    assert (answer.status_code, answer.json()["generation"], answer.headers["ETag"]) == (200, 2, '"2"')
    refused(client.patch(f"vdcs/{made['id']}", {"description": "x"}, If_Match='"1"'), 412)
    answer = client.patch(f"vdcs/{made['id']}", {"limits": {"cpu": 3}})
    assert (answer.json()["limits"], answer.json()["generation"]) == ({"cpu": 3}, 3)
    refused(client.patch(f"vdcs/{made['id']}", {"name": "other"}), 422, "name", "unknown_field")
    refused(api("vera").patch(f"vdcs/{made['id']}", {"description": "x"}), 403)


def test_deleting_is_refused_while_something_is_in_it(api, cluster):
    vdc = a_vdc("lab")
    vm = a_vm(vdc)
    body = refused(api("alice").delete(f"vdcs/{vdc.pk}"), 409)
    assert "web" in body["detail"]
    refused(api("alice").delete(f"vdcs/{vdc.pk}?cascade=yes"), 400, "cascade")
    answer = api("alice").delete(f"vdcs/{vdc.pk}?cascade=true")
    assert (answer.status_code, bool(answer.json()["deletion_requested_at"])) == (202, True)
    vm.refresh_from_db()
    assert vm.deletion_requested_at is not None
    assert vm.disks.get().deletion_requested_at is not None
    assert vm.generation == 2


def test_an_organizations_quota(api, organization):
    path, root = f"organizations/{organization.pk}/quota", api("root")
    empty = api("alice").get(path)
    assert (empty.json()["limits"], empty.json()["mode"]) == ({}, "reservation")
    answer = root.request("put", path, {"limits": {"cpu": 10, "memory_mib": "16Gi"}})
    assert answer.status_code == 200, answer.content
    assert answer.json()["limits"] == {"cpu": 10, "memory_mib": 16384}
    refused(root.request("put", path, {"limits": {"cpu": 1}}, If_Match='"1"'), 412)
    refused(root.request("put", path, {}), 422, "limits", "required")
    refused(api("alice").request("put", path, {"limits": {"cpu": 99}}), 403)
    assert api("charlie").get(path).status_code == 404
    vdc = {"organization": str(organization.pk), "name": "lab", "limits": {"cpu": 11, "memory_mib": 1}}
    body = refused(api("alice").post("vdcs", vdc), 422)
    assert body["quota"][0] == {
        "resource": "cpu", "level": "organization", "scope": "acme", "ledger": "reserved", "limit": 10, "used": 0,
        "requested": 11, "short_by": 1, "fits": 10, "who_can_change": "A system admin",
    }  # fmt: skip
    assert api("alice").post("vdcs", vdc | {"limits": {"cpu": 10, "memory_mib": 1}}).status_code == 201
    assert api("alice").get(path).json()["reserved"]["cpu"] == 10


def test_catalogs_are_seen_by_whom_they_are_for(api, cluster):
    an_item("public")
    an_item("ours", organization=an_organization())
    an_item("theirs", organization=an_organization("globex"))
    names = {item["name"] for item in api("bob").get("catalog-items").json()["items"]}
    assert names == {"public", "ours"}
    assert len(api("root").get("catalogs").json()["items"]) == 3
    found = api("bob").get("catalog-items?q=PUB&type=vm-template").json()["items"][0]
    assert (found["cpu"], found["memory_mib"], found["min_disk_gib"], found["organization"]) == (1, 1024, 2, None)
    catalog = api("bob").get("catalogs?name=images").json()["items"][0]
    assert catalog["item_count"] == 1
    assert api("bob").get(f"catalogs/{catalog['id']}").json() == catalog
    assert api("bob").get(f"catalog-items?catalog={catalog['id']}").json()["items"][0]["name"] == "public"


def test_clusters_are_for_the_providers_people(api, cluster):
    found = api("root").get("clusters").json()["items"][0]
    assert found["name"] == "local"
    assert "credential" not in found
    assert api("alice").get("clusters").status_code == 403


def test_a_vms_verbs(api, cluster):
    vdc = a_vdc("lab")
    vm = a_vm(vdc, power_state="off")
    client, path = api("alice"), f"vms/{vm.pk}"
    started = client.post(f"{path}/start")
    assert (started.status_code, started.json()["power_state"], started.headers["ETag"]) == (200, "on", '"2"')
    assert client.post(f"{path}/start").json()["generation"] == 2, "twice is no change"
    refused(client.post(f"{path}/stop", If_Match='"1"'), 412)
    assert client.post(f"{path}/stop").json()["power_state"] == "off"
    refused(client.patch(path, {"cpu": 2}), 409)
    vm.refresh_from_db()
    release_active(vm=vm, expected_generation=vm.generation)  # as once the cluster shows it stopped
    changed = client.patch(path, {"cpu": 2, "memory": "2Gi", "description": "bigger"}).json()
    assert (changed["cpu"], changed["memory_mib"], changed["description"]) == (2, 2048, "bigger")
    assert QuotaScope.objects.get(vdc=vdc).allocated["cpu"] == 2
    refused(client.patch(path, {"cpu": 0}), 422, "cpu")
    refused(client.patch(path, {"name": "x"}), 422, "name", "unknown_field")
    refused(client.delete(path, If_Match='"1"'), 412)
    answer = client.delete(path)
    assert (answer.status_code, bool(answer.json()["deletion_requested_at"])) == (202, True)
    refused(client.post(f"{path}/start"), 409)
    assert QuotaScope.objects.get(vdc=vdc).allocated["cpu"] == 2, "held until the cluster confirms that it is gone"
    for person in ("bob", "charlie"):
        for method, address in (("get", path), ("delete", path), ("post", f"{path}/start")):
            assert api(person).request(method, address).status_code == 404


def test_whose_cluster_a_vdc_goes_to(api, new, organization):
    far = make_cluster("far", default=False)
    named = new | {"cluster": str(far.pk)}
    refused(api("alice").post("vdcs", named), 422, "cluster", "not_found")
    assert api("root").post("vdcs", named).status_code == 201  # which places the organization there
    assert api("alice").post("vdcs", named | {"name": "lab2"}).status_code == 201
