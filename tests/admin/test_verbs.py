"""Verbs of the admin: what each does, that it is audited, whom and when it refuses."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from clusters import operations as verbs
from clusters import secrets
from clusters.models import Cluster, InventoryItem, WorkItem
from core.errors import Forbidden
from core.models import AuditEntry
from tenancy.models import RoleBinding, Session, User
from tests.admin.scene import make_vm, one_of_everything, signed_in
from tests.cast import make_person
from vdcs import services
from vdcs.models import QuotaScope
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db
LATER = timedelta(hours=1)


def order(model: str, verb: str, *rows, client=None, **more):
    return (client or signed_in("root")).post(f"/admin/{model}/verb/{verb}/", {"pk": [row.pk for row in rows], **more})


def entry(action: str) -> Any:
    found = AuditEntry.objects.get(action=action)
    assert found.actor_name == "root"
    assert found.session_id is not None
    return found


@pytest.fixture
def vm() -> VirtualMachine:
    return one_of_everything()


@pytest.fixture
def item(vm) -> WorkItem:
    return WorkItem.objects.get(object_id=vm.pk)


@pytest.fixture
def held(vm) -> InventoryItem:
    return InventoryItem.objects.get(owner_id=vm.pk)


def change(row, **values) -> None:
    type(row).objects.filter(pk=row.pk).update(**values)


# --- work items ---


def test_retry_makes_a_failing_item_due_now(vm, item):
    change(item, attempts=9, due_at=timezone.now() + LATER, last_error="connection refused")
    assert "It is due now." in order("clusters/workitem", "retry", item).text
    item.refresh_from_db()
    assert item.attempts == 0
    assert item.due_at <= timezone.now()
    assert item.requested_seq == 2
    told = entry("work.retry")
    assert (told.object_kind, told.object_id, told.organization_id) == ("virtualmachine", vm.pk, vm.organization_id)
    assert told.before["attempts"] == 9
    assert told.before["last_error"] == "connection refused"


def test_retry_unparks(item):
    change(item, due_at=None, parked_on_kind="vdc", parked_on_id=uuid.uuid4())
    order("clusters/workitem", "retry", item)
    item.refresh_from_db()
    assert item.due_at is not None
    assert item.parked_on_id is None


def test_retry_leaves_an_item_that_a_worker_has_alone(item):
    token = uuid.uuid4()
    change(item, lease_token=token, leased_until=timezone.now() + LATER)
    assert "A worker has it at this moment" in order("clusters/workitem", "retry", item).text
    item.refresh_from_db()
    assert item.lease_token == token
    assert item.requested_seq == 1
    assert not AuditEntry.objects.filter(action="work.retry").exists()


def test_releasing_a_lease_gives_the_item_to_others(item):
    change(item, lease_token=uuid.uuid4(), leased_until=timezone.now() + LATER)
    assert "The lease is released" in order("clusters/workitem", "release", item).text
    item.refresh_from_db()
    assert item.lease_token is None
    assert item.leased_until is None
    assert item.due_at <= timezone.now()
    assert "lease_token" in entry("work.release_lease").before


def test_there_is_no_lease_to_release(item):
    assert "No worker has it." in order("clusters/workitem", "release", item).text


def test_a_verb_on_an_item_whose_row_is_gone_is_audited_under_the_rows_id(item):
    gone = uuid.uuid4()
    change(item, object_id=gone)
    item.refresh_from_db()
    order("clusters/workitem", "retry", item)
    assert entry("work.retry").object_id == gone


# --- rows ---


def test_reconciling_requests_the_row(vm, item):
    item.delete()
    assert "It is requested." in order("vms/virtualmachine", "reconcile", vm).text
    assert WorkItem.objects.filter(object_id=vm.pk, due_at__lte=timezone.now()).exists()
    entry("row.reconcile")


def test_suspending_fences_off_the_worker_and_says_why(vm, item):
    change(item, lease_token=uuid.uuid4(), leased_until=timezone.now() + LATER)
    assert "It is suspended." in order("vms/virtualmachine", "suspend", vm, reason="moving its\n storage").text
    vm.refresh_from_db()
    item.refresh_from_db()
    assert vm.suspended_at is not None
    assert vm.suspended_because == "moving its storage"
    assert item.lease_token is None
    assert item.requested_seq == 2
    assert entry("row.suspend").after == {"reason": "moving its storage"}


def test_suspended_is_suspended(vm, item):
    order("vms/virtualmachine", "suspend", vm)
    for verb, refusal in (("suspend", "suspended already"), ("reconcile", "resume it first")):
        assert refusal in order("vms/virtualmachine", verb, vm).text
    assert "resume it first" in order("clusters/workitem", "retry", item).text


def test_resuming_requests_the_row(vm, item):
    assert "It is not suspended." in order("vms/virtualmachine", "resume", vm).text
    order("vms/virtualmachine", "suspend", vm)
    assert "It is resumed" in order("vms/virtualmachine", "resume", vm).text
    vm.refresh_from_db()
    item.refresh_from_db()
    assert vm.suspended_at is None
    assert vm.suspended_because == ""
    assert item.requested_seq == 3
    entry("row.resume")


def test_a_rows_page_offers_what_applies(vm):
    root = signed_in("root")
    page = root.get(f"/admin/vms/virtualmachine/{vm.pk}/change/").text
    assert "/verb/suspend/" in page
    assert "/verb/resume/" not in page
    order("vms/virtualmachine", "suspend", vm)
    page = root.get(f"/admin/vms/virtualmachine/{vm.pk}/change/").text
    assert "/verb/resume/" in page
    assert "/verb/suspend/" not in page


def test_a_vm_is_stopped_by_the_service_that_the_api_calls(vm, item):
    QuotaScope.objects.filter(vdc=vm.vdc).update(allocated={"cpu": 1})
    page = order("vms/virtualmachine", "stop", vm).text
    assert "It is asked to stop." in page
    vm.refresh_from_db()
    assert (vm.power_state, vm.generation) == ("off", 2)
    entry("vm.power")


# --- inventory ---


def test_a_tombstone_is_forgotten_once_nothing_can_be_under_way(vm, held):
    change(held, tombstoned_at=timezone.now() - LATER)
    assert "It is forgotten." in order("clusters/inventoryitem", "forget", held).text
    assert not InventoryItem.objects.filter(pk=held.pk).exists()
    assert entry("inventory.forget").object_id == vm.pk


@pytest.mark.parametrize(
    ("age", "refusal"), [(None, "It is no tombstone"), (timedelta(minutes=1), "younger than 10 minutes")]
)
def test_what_may_still_be_there_is_not_forgotten(held, age, refusal):
    change(held, tombstoned_at=age and timezone.now() - age)
    assert refusal in order("clusters/inventoryitem", "forget", held).text
    assert InventoryItem.objects.filter(pk=held.pk).exists()


def test_a_cluster_that_does_not_answer_is_said_so(held):
    Cluster.objects.update(credential=secrets.encrypt("nobody listens"))
    answer = order("clusters/inventoryitem", "recheck", held)
    assert answer.status_code == 200
    assert not AuditEntry.objects.filter(action="inventory.recheck").exists()
    assert "refused" in answer.text


# --- people ---


def test_a_person_is_disabled_and_enabled(vm):
    bob = User.objects.get(username="bob")
    session = make_person("bob").sessions.create(expires_at=timezone.now() + LATER)
    order("tenancy/user", "disable", bob)
    session.refresh_from_db()
    assert not User.objects.get(username="bob").is_active
    assert session.revoked_at is not None
    order("tenancy/user", "enable", bob)
    assert User.objects.get(username="bob").is_active
    entry("user.disable")
    entry("user.enable")


def test_the_last_system_admin_is_kept():
    root = signed_in("root")
    answer = order("tenancy/user", "disable", User.objects.get(username="root"), client=root)
    assert "refused" in answer.text
    assert User.objects.get(username="root").is_active


def test_a_role_is_taken_away(vm):
    binding = RoleBinding.objects.get(user__username="bob", role="user")
    assert "taken away" in order("tenancy/rolebinding", "unbind", binding).text
    assert not RoleBinding.objects.filter(pk=binding.pk).exists()
    entry("binding.delete")


def test_an_ended_session_is_not_ended_twice(vm):
    session = Session.objects.create(user=make_person("bob"), expires_at=timezone.now() + LATER)
    order("tenancy/session", "end", session)
    assert "ended already" in order("tenancy/session", "end", session).text


# --- quotas ---


def test_a_recount_shows_differences_and_changes_nothing(vm):
    scope = QuotaScope.objects.get(vdc=vm.vdc)
    assert "The totals are the sums of the claims." in order("vdcs/quotascope", "recount", scope).text
    change(scope, allocated={"cpu": 99})
    assert "cpu is 99, its claims sum to 1" in order("vdcs/quotascope", "recount", scope).text
    scope.refresh_from_db()
    assert scope.allocated == {"cpu": 99}
    assert AuditEntry.objects.filter(action="quota.recount").count() == 2


# --- many at once ---


def test_an_action_on_a_list_asks_first_and_answers_for_each_row(vm):
    other = make_vm(vm.vdc, "db")
    change(other, suspended_at=timezone.now())
    root = signed_in("root")
    chosen = {"action": "suspend", "_selected_action": [str(vm.pk), str(other.pk)]}
    page = root.post("/admin/vms/virtualmachine/", chosen).text
    assert str(vm.pk) in page
    assert str(other.pk) in page
    assert "OVIM leaves the row alone" in page
    vm.refresh_from_db()
    assert vm.suspended_at is None
    page = order("vms/virtualmachine", "suspend", vm, other, client=root).text
    assert page.count("is suspended.") == 1
    assert page.count("suspended already") == 1


def test_too_many_at_once_are_refused(vm, monkeypatch):
    monkeypatch.setattr("core.backoffice.base.MOST", 1)
    other = make_vm(vm.vdc, "db")
    chosen = {"action": "suspend", "_selected_action": [str(vm.pk), str(other.pk)]}
    assert "At most 1 at once" in signed_in("root").post("/admin/vms/virtualmachine/", chosen, follow=True).text


def test_a_verb_that_is_none_and_a_row_that_is_none_are_404(vm):
    root = signed_in("root")
    assert order("vms/virtualmachine", "explode", vm, client=root).status_code == 404
    assert root.post("/admin/vms/virtualmachine/verb/suspend/", {"pk": [str(uuid.uuid4()), "x"]}).status_code == 404
    assert root.get("/admin/vms/virtualmachine/not-an-id/change/").status_code == 404


@pytest.mark.parametrize("name", ["alice", "vera", "bob", "nobody"])
def test_verbs_are_for_system_admins(vm, name):
    assert order("vms/virtualmachine", "suspend", vm, client=signed_in(name)).status_code == 404
    vm.refresh_from_db()
    assert vm.suspended_at is None


def test_the_services_refuse_others_too(vm, item, held, alice):
    """Whatever door they would be called through."""
    for call in (
        lambda: verbs.retry(actor=alice, item=item),
        lambda: verbs.release_lease(actor=alice, item=item),
        lambda: verbs.reconcile_now(actor=alice, row=vm),
        lambda: verbs.suspend(actor=alice, row=vm),
        lambda: verbs.resume(actor=alice, row=vm),
        lambda: verbs.recheck(actor=alice, item=held),
        lambda: verbs.forget_tombstone(actor=alice, item=held),
        lambda: services.recount(actor=alice, scope=QuotaScope.objects.get(vdc=vm.vdc)),
    ):
        with pytest.raises(Forbidden):
            call()
