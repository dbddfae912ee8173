"""What rows say about themselves: names beside ids, suspension, and where the live stream is."""

import pytest
from django.test import override_settings

from clusters.models import Placement
from clusters.operations import resume, suspend
from tests.cast import Api, actor_of, make_cluster, make_person, make_placement
from tests.domain import a_vdc, a_vm
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db


def test_a_binding_names_its_place_in_one_statement(api, cluster, django_assert_num_queries):
    vdc = a_vdc()
    for name in ("alice", "vera", "bob", "root"):
        make_person(name)
    root = api("root")
    root.get("role-bindings")
    with django_assert_num_queries(2):  # who asks, and the page
        items = root.get("role-bindings").json()["items"]
    places = {item["username"]: (item["organization_name"], item["vdc_name"]) for item in items}
    assert places == {
        "root": (None, None),
        "alice": ("acme", None),
        "vera": ("acme", vdc.name),
        "bob": ("acme", vdc.name),
    }


def test_a_suspended_row_says_since_when_and_why(api, cluster):
    vm = a_vm(a_vdc(), power_state="off")
    alice, root = api("alice"), actor_of(make_person("root"))
    placement = Placement.objects.filter(owner_id=vm.organization_id).first() or make_placement(vm.organization)
    rows = {f"vms/{vm.pk}": vm, f"vdcs/{vm.vdc_id}": vm.vdc, f"organizations/{vm.organization_id}": placement}
    for address, row in rows.items():
        assert alice.get(address).json()["suspended"] is None
        suspend(actor=root, row=row, reason="moving its storage")
        told = alice.get(address).json()["suspended"]
        row.refresh_from_db()
        assert told == {"at": f"{row.suspended_at:%Y-%m-%dT%H:%M:%S.%fZ}", "reason": "moving its storage"}
        (listed,) = alice.get(address.split("/")[0]).json()["items"]
        assert listed["suspended"] == told
        resume(actor=root, row=row)
        assert alice.get(address).json()["suspended"] is None


def test_suspension_costs_a_list_no_more_queries(api, cluster, django_assert_num_queries):
    vdc, root = a_vdc(), actor_of(make_person("root"))
    alice = api("alice")
    a_vm(vdc, "one")
    alice.get("vms")
    with django_assert_num_queries(2):
        alice.get("vms")
    a_vm(vdc, "two")
    for vm in VirtualMachine.objects.all():
        suspend(actor=root, row=vm)
    with django_assert_num_queries(2):
        assert len(alice.get("vms").json()["items"]) == 2


@pytest.mark.parametrize(
    ("live", "told"),
    [
        ("http://127.0.0.1:8123/", "http://127.0.0.1:8123"),
        ("http://testserver", None),
    ],
)
def test_who_is_not_signed_in_learns_where_the_live_stream_is(api, live, told):
    with override_settings(OVIM_LIVE_URL=live):
        assert api(None).get("auth/info").json() == {
            "methods": ["password", "device"],
            "password_reset": False,
            "live_url": told,
        }


def test_a_cluster_says_what_stands_against_its_verbs(api, cluster, acme):
    make_placement(acme)
    second = make_cluster("second", default=False)
    by_name = {row["name"]: row["allowed_actions"] for row in api("root").get("clusters").json()["items"]}
    assert by_name["second"] == dict.fromkeys(("edit", "access", "check", "drain", "delete", "forget", "audit"))
    assert "default cluster" in by_name["local"]["drain"]
    type(cluster).objects.filter(pk=cluster.pk).update(is_default=False)
    type(cluster).objects.filter(pk=second.pk).update(is_default=True)
    told = api("root").get(f"clusters/{cluster.pk}").json()["allowed_actions"]
    assert (told["drain"], "still on it" in told["delete"]) == (None, True)
    made = api("root").post("tokens", {"name": "watch", "rights": ["cluster.view"]}).json()
    program = Api()
    program.headers["Authorization"] = f"Bearer {made['token']}"
    told = program.get(f"clusters/{cluster.pk}").json()["allowed_actions"]
    assert told["edit"] == "You lack the right cluster.edit here."
