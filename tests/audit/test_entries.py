"""What an entry says: who, from where, in which session, with which outcome; and never a secret."""

import pytest
from django.db import transaction

from core import audit, sealing
from core.models import AuditEntry
from tests.cast import Api, actor_of, make_organization, make_person
from tests.domain import an_organization
from tests.portal import browser, text

pytestmark = pytest.mark.django_db
SECRET = "hunter2-is-no-password"


def test_a_change_has_actor_session_address_request_object_before_after_and_outcome(api):
    organization = an_organization()
    alice = api("alice")
    path = f"organizations/{organization.pk}"
    answer = alice.patch(path, {"display_name": "Acme & Sons"}, X_Request_Id="trace-12345678")
    assert answer.status_code == 200, answer.content
    entry = AuditEntry.objects.get(action="organization.edit")
    assert (entry.actor_id, entry.actor_name) == (make_person("alice").pk, "alice")
    assert entry.session_id == alice.session.pk
    assert (entry.address, entry.request_id) == ("127.0.0.1", "trace-12345678")
    assert (entry.object_kind, entry.object_id, entry.object_name) == ("organization", organization.pk, "acme")
    assert entry.organization_id == organization.pk
    assert (entry.before, entry.after) == ({"display_name": "Acme"}, {"display_name": "Acme & Sons"})
    assert entry.outcome == "done"


@pytest.mark.parametrize(
    "values",
    [{"password": SECRET}, {"spec": {"api_token": SECRET}}, {"disks": [{"Credential": SECRET}, 1]},
     {"deep": [[{"user_data": SECRET}]]}],
)  # fmt: skip
def test_a_secret_is_masked_however_deep(values):
    with transaction.atomic():
        audit.record(_somebody(), "x", make_organization("acme"), before=values, after=values)
    entry = AuditEntry.objects.get()
    assert SECRET not in f"{entry.before}{entry.after}"
    assert audit.MASK in f"{entry.before}"


def _somebody():
    return actor_of(make_person("alice"))


def test_a_failed_sign_in_is_told_to_the_organization_of_the_account(acme_of, api):
    api(None).post("auth/login", {"username": "alice", "password": "wrong"})
    api(None).post("auth/login", {"username": "stranger", "password": "wrong"})
    mine, unknown = AuditEntry.objects.filter(action="session.begin").order_by("actor_name")
    assert (mine.actor_name, mine.outcome, mine.organization_id) == ("alice", "refused", acme_of.pk)
    assert (unknown.actor_name, unknown.organization_id) == ("stranger", None)
    seen = api("alice").get("audit-entries?action=session.begin&outcome=refused").json()["items"]
    assert [row["actor_name"] for row in seen] == ["alice"]


@pytest.fixture
def acme_of():
    return make_person("alice").organization


def test_a_write_that_breaks_is_told_as_failed(api, monkeypatch):
    organization = an_organization()

    def broken(**fields: object) -> None:
        raise ZeroDivisionError("the cause, with a secret " + SECRET)

    monkeypatch.setattr("tenancy.services.organizations.edit_organization", broken)
    assert api("alice").patch(f"organizations/{organization.pk}", {"display_name": "X"}).status_code == 500
    entry = AuditEntry.objects.get(outcome="failed")
    assert (entry.action, entry.actor_name, entry.object_id) == (
        "PATCH organization-detail", "alice", organization.pk,
    )  # fmt: skip
    assert "ZeroDivisionError" in entry.reason
    assert SECRET not in entry.reason


def test_the_page_of_an_entry_shows_its_session_and_its_seal():
    alice = browser("alice")
    with transaction.atomic():
        audit.record(
            _somebody(), "organization.edit", make_organization("acme"), organization_id=make_organization("acme").pk
        )
    entry = AuditEntry.objects.get()
    assert "in a few seconds" in text(alice.get(f"/activity/{entry.pk}/"))
    sealing.seal_all()
    page = text(alice.get(f"/activity/{entry.pk}/"))
    assert str(entry.session_id) in page
    assert sealing.head(make_organization("acme").pk)[1] in page
    assert Api().get("audit-entries").status_code == 401
