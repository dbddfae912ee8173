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
from tests.cast import actor_of, make_person, make_placement, session_of
from tests.domain import a_vdc, a_vm, an_organization
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
