"""The timeline over HTTP and on pages: who sees what of it, page by page, and what it never shows."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from clusters import happenings, kinds
from clusters.happenings import Told, What
from clusters.models import Placement, Reconciled
from tenancy.middleware import COOKIE_KEY
from tests.cast import actor_of, make_organization, make_person, make_placement, session_of
from tests.domain import a_vdc, a_vm, an_item, an_organization
from vms.models import VirtualMachine
from vms.services import edit_vm

pytestmark = pytest.mark.django_db


def happens(row: Reconciled, *told: Told) -> None:
    happenings.record(happenings.lines(kinds.of(row).name, row, told))


def an_event(text: str, *, ok: bool = True, ago: int = 0) -> Told:
    at = timezone.now() - timedelta(seconds=ago)
    said = {"kind": "VirtualMachine", "name": "web", "reason": "Odd", "message": text}
    return Told(What.EVENT, "Odd", at, said, ok=ok, raw=said | {"token": "hush"})


def a_write(**more: object) -> Told:
    said = {"kind": "VirtualMachine", "name": "web", "namespace": "n", "fields": [], "reason": "", "message": ""}
    return Told(What.WRITE, "create", timezone.now(), said | more, duration_ms=300)


def test_it_merges_people_system_and_cluster_newest_first(api, cluster):
    vm = a_vm(a_vdc(), actor=actor_of(make_person("bob")), power_state="off")
    happens(vm, a_write())
    happens(vm, an_event("so it goes"))
    edit_vm(actor=actor_of(make_person("alice")), vm=vm, changes={"memory_mib": 4096})
    body = api("alice").get(f"/api/v1/vms/{vm.pk}/timeline").json()
    assert [(item["source"], item["sentence"]) for item in body["items"]] == [
        ("person", "alice asked for 4 GiB of memory, before it was 1 GiB of memory"),
        ("cluster", "so it goes"),
        ("system", "VirtualMachine web written"),
        ("person", "bob made it: 1 vCPU, 1 GiB of memory, 4 GiB of disk"),
    ]
    assert body["next"] is None
    assert body["items"][2]["duration_ms"] == 300
    assert "hush" not in str(body)


def test_who_may_not_read_the_audit_log_sees_only_his_own_acts_and_all_the_rest(api, cluster):
    vm = a_vm(a_vdc(), actor=actor_of(make_person("bob")), power_state="off")
    edit_vm(actor=actor_of(make_person("alice")), vm=vm, changes={"memory_mib": 4096})
    happens(vm, an_event("so it goes"))
    items = api("bob").get(f"/api/v1/vms/{vm.pk}/timeline").json()["items"]
    assert [item["who"] for item in items] == ["", "bob"]


def test_pages_follow_each_other_without_gap_or_repetition(api, cluster):
    vm = a_vm(a_vdc(), actor=actor_of(make_person("bob")))
    happens(vm, *(an_event(f"e{number}", ago=20 - number) for number in range(7)))
    seen, after = [], ""
    while True:
        page = api("alice").get(f"/api/v1/vms/{vm.pk}/timeline?limit=3{after}").json()
        assert len(page["items"]) <= 3
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    whole = api("alice").get(f"/api/v1/vms/{vm.pk}/timeline?limit=200").json()["items"]
    assert seen == [item["id"] for item in whole]
    assert len(seen) == 8


def test_filters_and_what_they_cannot_be(api, cluster):
    vm = a_vm(a_vdc())
    happens(vm, an_event("good"), an_event("bad", ok=False), a_write())
    alice, address = api("alice"), f"/api/v1/vms/{vm.pk}/timeline"
    assert {item["source"] for item in alice.get(f"{address}?source=system").json()["items"]} == {"system"}
    assert [item["sentence"] for item in alice.get(f"{address}?errors=true").json()["items"]] == ["bad"]
    assert [item["source"] for item in alice.get(f"{address}?source=person").json()["items"]] == ["person"]
    for query, field in (("source=me", "source"), ("errors=1", "errors"), ("after=x", "after"), ("limit=0", "limit")):
        refused = alice.get(f"{address}?{query}")
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, field)
    assert alice.get(f"{address}?depth=1").status_code == 400


def test_what_was_refused_is_told_to_those_who_may_read_the_audit_log(api, cluster):
    vdc = a_vdc(limits={"running_vms": 0})
    vm = a_vm(vdc, actor=actor_of(make_person("bob")), power_state="off")
    make_person("vera")
    assert api("bob").post(f"vms/{vm.pk}/orders", {"order": "repair"}).status_code == 403  # at the door
    assert api("bob").post(f"vms/{vm.pk}/start").status_code == 422  # no quota
    assert api("nobody").post(f"vms/{vm.pk}/start").status_code == 403  # who does not see it
    items = api("alice").get(f"/api/v1/vms/{vm.pk}/timeline?errors=true").json()["items"]
    assert [(item["who"], item["ok"], item["source"]) for item in items] == [("bob", False, "person")] * 2
    assert items[0]["sentence"].startswith("bob tried to start it and was refused: running_vms: ")
    assert items[1]["sentence"] == (
        "bob tried to give an order about it and was refused: You lack the right vm.order on this resource."
    )
    assert items[0]["raw"]["request_id"]
    own = api("bob").get(f"/api/v1/vms/{vm.pk}/timeline?errors=true").json()["items"]
    assert len(own) == 2
    assert api("vera").get(f"/api/v1/vms/{vm.pk}/timeline?errors=true").json()["items"] == []
    assert "was refused" in signed_in("alice").get(f"/vms/{vm.pk}/?told=errors").content.decode()


def test_a_refusal_in_another_tenant_is_that_tenants_to_know(api, cluster):
    """An admin of two organizations tries something in one of them: the other one's admins do not see it."""
    vdc = a_vdc()
    vera = make_person("vera")
    vera.bindings.create(role="user", organization=make_organization("globex"))
    assert api("vera").patch(f"vdcs/{vdc.pk}", {"description": "mine"}).status_code == 403
    (told,) = api("alice").get(f"/api/v1/vdcs/{vdc.pk}/timeline?errors=true").json()["items"]
    assert told["sentence"].startswith("vera tried to change it and was refused: ")
    assert api("charlie").get("audit-entries?outcome=refused").json()["items"] == []


def test_a_request_says_after_how_long_it_was_accepted(api, cluster):
    vdc = a_vdc()
    make_person("bob")
    vm = api("bob").post("vms", {"vdc": str(vdc.pk), "name": "web", "catalog_item": str(an_item().pk)}).json()
    (told,) = api("alice").get(f"/api/v1/vms/{vm['id']}/timeline?source=person").json()["items"]
    assert 0 <= told["duration_ms"] < 10_000
    assert "accepted in " in signed_in("alice").get(f"/vms/{vm['id']}/").content.decode()
    (entry,) = api("alice").get("audit-entries?action=vm.create").json()["items"]
    assert entry["duration_ms"] == told["duration_ms"]
    edit_vm(actor=actor_of(make_person("alice")), vm=VirtualMachine.objects.get(), changes={"description": "x"})
    latest = api("alice").get(f"/api/v1/vms/{vm['id']}/timeline?source=person").json()["items"][0]
    assert latest["duration_ms"] is None  # outside any request there is nothing to count from


def test_another_tenants_timeline_is_absent(api, cluster):
    theirs = a_vm(a_vdc("main", organization=an_organization("globex")))
    happens(theirs, an_event("secret"))
    alice = api("alice")
    for address in (
        f"vms/{theirs.pk}",
        f"vdcs/{theirs.vdc_id}",
        f"organizations/{theirs.organization_id}",
    ):
        assert alice.get(f"/api/v1/{address}/timeline").status_code == 404


def test_vdcs_and_organizations_have_one(api, cluster):
    vdc = a_vdc()
    placement = Placement.objects.filter(owner_kind="organization", owner_id=vdc.organization_id).first()
    placement = placement or make_placement(vdc.organization)
    happens(vdc, a_write(kind="Namespace", name="acme-dev"))
    happens(placement, a_write(kind="Namespace", name="acme"))
    alice = api("alice")
    told = alice.get(f"/api/v1/vdcs/{vdc.pk}/timeline").json()["items"]
    assert told[0]["sentence"] == "Namespace acme-dev written"
    assert told[-1]["source"] == "person"
    (own,) = alice.get(f"/api/v1/organizations/{vdc.organization_id}/timeline?source=system").json()["items"]
    assert own["sentence"] == "Namespace acme written"


def test_pages_show_it_with_filters_and_the_raw_text_folded(cluster):
    vm = a_vm(a_vdc())
    happens(vm, an_event("<b>so it goes</b>"), an_event("bad luck", ok=False))
    alice = signed_in("alice")
    for address in (f"/vms/{vm.pk}/", f"/vdcs/{vm.vdc_id}/", f"/orgs/{vm.organization_id}/"):
        assert 'id="timeline"' in alice.get(address).content.decode()
    page = alice.get(f"/vms/{vm.pk}/").content.decode()
    assert "&lt;b&gt;so it goes&lt;/b&gt;" in page
    assert "hush" not in page
    assert "<details>" in page
    errors = alice.get(f"/vms/{vm.pk}/?told=errors").content.decode()
    assert "bad luck" in errors
    assert "so it goes" not in errors
    for query in ("told=nonsense", "told_before=x", "told_before=%00"):
        assert alice.get(f"/vms/{vm.pk}/?{query}").status_code == 200


def test_more_entries_cost_a_page_no_more_queries(cluster, django_assert_max_num_queries):
    vm = a_vm(a_vdc())
    alice = signed_in("alice")
    alice.get(f"/vms/{vm.pk}/")
    happens(vm, *(an_event(f"e{number}") for number in range(60)))
    with django_assert_max_num_queries(16):
        assert "Older" in alice.get(f"/vms/{vm.pk}/").content.decode()


def signed_in(name: str) -> Client:
    client = Client()
    session = client.session
    session[COOKIE_KEY] = str(session_of(make_person(name)).pk)
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client
