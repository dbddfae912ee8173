"""An organization switched off and on, and deleted with a time in which that is undone: over the API and the portal."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from catalogs.models import Catalog
from clusters.models import Placement
from core.errors import Conflict
from core.models import AuditEntry
from tenancy.models import Organization, RoleBinding, RoleName, User
from tenancy.services import lifecycle
from tenancy.tasks import delete_due
from tests.cast import PASSWORD, Api, actor_of, make_person, make_user, session_of
from tests.domain import a_vdc, a_vm, an_item, an_organization
from tests.portal import browser, text
from vdcs.models import Vdc
from vms.models import VirtualMachine
from vms.services import set_power


@pytest.fixture
def acme(cluster):
    return an_organization("acme")


@pytest.fixture
def filled(acme):
    """dev with `web`, which runs, and `db`, which does not; and a catalog."""
    dev = a_vdc("dev", organization=acme)
    an_item("jammy", organization=acme)
    a_vm(dev, "web")
    a_vm(dev, "db", power_state="off")
    return acme


def powers():
    return dict(VirtualMachine.objects.values_list("name", "power_state"))


def verb(client, organization, name, body=None, **headers):
    return client.post(f"organizations/{organization.pk}/{name}", body or {}, **headers)


@pytest.mark.django_db
def test_disabling_takes_effect_with_the_next_request_and_what_runs_goes_on(api, filled):
    alice = api("alice")
    assert alice.get("vms").status_code == 200
    answer = verb(api("root"), filled, "disable")
    assert (answer.status_code, answer.json()["enabled"]) == (200, False)
    assert alice.get("vms").status_code == 401
    assert Api().post("auth/login", {"username": "alice", "password": PASSWORD}).status_code == 401
    assert powers() == {"web": "on", "db": "off"}
    assert verb(api("root"), filled, "enable").json()["enabled"] is True
    assert alice.get("vms").status_code == 200


@pytest.mark.django_db
def test_or_it_is_stopped_and_enabling_starts_nothing(api, filled):
    root = api("root")
    assert verb(root, filled, "disable", {"vms": "stop"}).status_code == 200
    assert powers() == {"web": "off", "db": "off"}
    web = VirtualMachine.objects.get(name="web")
    assert web.power_generation == web.generation == 2
    told = AuditEntry.objects.get(action="organization.disable")
    assert (told.after, told.organization_id) == ({"vms": "stop", "stopped": 1}, filled.pk)
    assert AuditEntry.objects.filter(action="vm.power", object_id=web.pk).count() == 1
    refused = root.post(f"vms/{web.pk}/start")
    assert (refused.status_code, "is disabled" in refused.json()["detail"]) == (409, True)
    verb(root, filled, "enable")
    assert powers() == {"web": "off", "db": "off"}
    assert root.post(f"vms/{web.pk}/start").status_code == 200


@pytest.mark.django_db
def test_who_has_roles_elsewhere_keeps_these(api, filled, globex):
    alice = make_person("alice")
    RoleBinding.objects.create(user=alice, role=RoleName.ORG_ADMIN, organization=globex)
    client = Api(session_of(alice))
    assert {row["name"] for row in client.get("organizations").json()["items"]} == {"acme", "globex"}
    verb(api("root"), filled, "disable")
    assert {row["name"] for row in client.get("organizations").json()["items"]} == {"globex"}
    assert client.get(f"organizations/{filled.pk}").status_code == 404
    assert client.get("vms").json()["items"] == []
    assert Api().post("auth/login", {"username": "alice", "password": PASSWORD}).status_code == 200
    globex.enabled = False
    globex.save()
    assert client.get("me").status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["disable", "enable", "undo-deletion"])
def test_these_are_the_providers(api, filled, name):
    assert verb(api("alice"), filled, name).status_code == 403
    assert verb(api("charlie"), filled, name).status_code == 403
    assert verb(api("root"), filled, name, If_Match='"99"').status_code == 412


@pytest.mark.django_db
def test_what_can_be_done_stands_beside_the_row(api, filled):
    root = api("root")

    def told():
        return root.get(f"organizations/{filled.pk}").json()["allowed_actions"]

    assert (told()["disable"], told()["enable"]) == (None, "It is enabled already.")
    assert told()["undo_deletion"] == "It is not to be deleted."
    verb(root, filled, "disable")
    assert (told()["disable"], told()["enable"]) == ("It is disabled already.", None)
    assert verb(root, filled, "disable").status_code == 409
    assert verb(root, filled, "disable", {"vms": "burn"}).json()["errors"][0]["field"] == "vms"
    root.delete(f"organizations/{filled.pk}?cascade=true&confirm=acme")
    assert (told()["undo_deletion"], told()["edit"]) == (None, "It is to be deleted: undo that first.")
    assert api("alice").get("me").status_code == 401


@pytest.mark.django_db
def test_deleting_is_refused_while_something_is_in_it_or_the_name_is_another(api, filled):
    root = api("root")
    plain = root.delete(f"organizations/{filled.pk}")
    assert (plain.status_code, "still has VDCs (dev)" in plain.json()["detail"]) == (409, True)
    for query in ("cascade=true", "cascade=true&confirm=Acme", "cascade=true&confirm=globex"):
        answer = root.delete(f"organizations/{filled.pk}?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "confirm")
    assert powers()["web"] == "on"


@pytest.mark.django_db
@pytest.mark.parametrize("enabled", [True, False])
def test_in_its_time_of_grace_it_is_disabled_and_stopped_and_all_of_it_can_be_undone(api, filled, settings, enabled):
    settings.OVIM_DELETION_GRACE_DAYS = 3
    root = api("root")
    if not enabled:
        verb(root, filled, "disable")
    answer = root.delete(f"organizations/{filled.pk}?cascade=true&confirm=acme")
    assert answer.status_code == 202, answer.content
    row = answer.json()
    assert (row["enabled"], row["deletion_requested_at"]) == (False, None)
    filled.refresh_from_db()
    assert timedelta(days=2.9) < filled.deletion_due_at - timezone.now() <= timedelta(days=3)
    assert powers() == {"web": "off", "db": "off"}
    delete_due()
    assert Vdc.objects.get().deletion_requested_at is None, "not yet"
    assert root.patch(f"organizations/{filled.pk}", {"enabled": True}).status_code == 409
    assert verb(root, filled, "enable").status_code == 409
    assert root.delete(f"organizations/{filled.pk}?cascade=true&confirm=acme").status_code == 409
    undone = verb(root, filled, "undo-deletion").json()
    assert (undone["enabled"], undone["deletion_due_at"]) == (enabled, None)
    assert powers() == {"web": "off", "db": "off"}
    assert verb(root, filled, "undo-deletion").status_code == 409
    filled.refresh_from_db()
    assert Placement.objects.get(owner_id=filled.pk).generation == filled.generation


@pytest.mark.django_db
def test_once_it_has_begun_it_is_not_undone(api, filled, settings):
    settings.OVIM_DELETION_GRACE_DAYS = 0
    root = api("root")
    root.delete(f"organizations/{filled.pk}?cascade=true&confirm=acme")
    refused = verb(root, filled, "undo-deletion")
    assert (refused.status_code, "has begun" in refused.json()["detail"]) == (409, True)
    delete_due()
    assert Vdc.objects.get().deletion_requested_at is not None
    assert not VirtualMachine.objects.filter(deletion_requested_at=None).exists()
    assert Catalog.objects.exists(), "machines may still start from it"
    for _ in range(2):
        delete_due()  # nothing has gone meanwhile: nothing more is done
    filled.refresh_from_db()
    assert filled.deletion_requested_at is None


@pytest.mark.django_db
def test_a_trial_of_it_stops_nothing(api, filled):
    assert api("root").delete(f"organizations/{filled.pk}?cascade=true&confirm=acme&dry_run=true").status_code == 200
    filled.refresh_from_db()
    assert (filled.deletion_due_at, powers()["web"]) == (None, "on")


@pytest.mark.django_db
def test_contacts_are_edited_and_read_back(api, filled):
    given = {
        "technical_contact_name": "Tess Tech",
        "technical_contact_email": "tess@example.org",
        "billing_contact_name": "Bill",
        "billing_contact_email": "bill@example.org",
    }
    answer = api("alice").patch(f"organizations/{filled.pk}", given)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in given} == given
    wrong = api("alice").patch(f"organizations/{filled.pk}", {"billing_contact_email": "no"})
    assert wrong.json()["errors"][0]["field"] == "billing_contact_email"


@pytest.mark.django_db
def test_by_hand_at_the_portal(filled):
    root = browser("root")
    page = f"/orgs/{filled.pk}/"
    assert root.fill(f"{page}disable/", vms="stop").status_code == 302
    assert powers()["web"] == "off"
    assert root.fill(f"{page}enable/").status_code == 302
    shown = text(root.get(f"{page}delete/"))
    assert ("In 7 days it goes for good" in shown, "dev" in shown) == (True, True)
    assert root.fill(f"{page}delete/", confirm="acm").status_code == 422
    assert root.fill(f"{page}delete/", confirm="acme").headers["Location"] == page
    assert "It goes with all that is in it at" in text(root.get(page))
    assert "To be deleted" in text(root.get("/orgs/"))
    assert root.fill(f"{page}undo-deletion/").status_code == 302
    filled.refresh_from_db()
    assert (filled.enabled, filled.deletion_due_at) == (True, None)


def test_who_starts_a_machine_while_it_is_switched_off_is_refused_or_stopped(live_db):
    """Never does one run on that was started at the same moment."""
    acme = an_organization("acme")
    dev = a_vdc("dev", organization=acme)
    machines = [a_vm(dev, f"vm{number}", power_state="off") for number in range(6)]
    root = actor_of(make_user("root", RoleName.SYSTEM_ADMIN))
    start, refused = threading.Barrier(len(machines) + 1), []

    def begin(vm):
        try:
            start.wait()
            set_power(actor=root, vm=vm, on=True)
        except Conflict as refusal:
            refused.append(refusal.message)
        finally:
            connection.close()

    threads = [threading.Thread(target=begin, args=(vm,)) for vm in machines]
    for thread in threads:
        thread.start()
    start.wait()
    lifecycle.disable(actor=root, organization=acme, vms="stop")
    for thread in threads:
        thread.join()
    assert set(powers().values()) == {"off"}
    assert all("is disabled" in message for message in refused)


def test_who_undoes_it_at_the_last_moment_has_done_so_or_comes_too_late(live_db):
    acme = an_organization("acme")
    dev = a_vdc("dev", organization=acme)
    root = actor_of(make_user("root", RoleName.SYSTEM_ADMIN))
    lifecycle.schedule_deletion(actor=root, organization=acme, confirm="acme")
    Organization.objects.update(deletion_due_at=timezone.now() + timedelta(seconds=1))

    def delete():
        try:
            until = time.monotonic() + 3
            while time.monotonic() < until and not Vdc.objects.filter(deletion_requested_at__isnull=False).exists():
                delete_due()
        finally:
            connection.close()

    with transaction.atomic():
        lifecycle.undo_deletion(actor=root, organization=acme)
        thread = threading.Thread(target=delete)
        thread.start()
        time.sleep(1.5)  # it is due now, and the undoing has yet to be committed
    thread.join()
    dev.refresh_from_db()
    acme.refresh_from_db()
    assert (dev.deletion_requested_at, acme.enabled) == (None, True)
    assert User.objects.filter(username="root").exists()
