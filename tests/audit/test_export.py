"""The audit log as a file, over the API and at the portal: what is in it, for whom, and that taking it is told."""

import csv
import json
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone

from core import sealing
from core.models import AuditEntry, AuditSeal
from tenancy import export
from tests.cast import make_organization, make_person
from tests.portal import browser

pytestmark = pytest.mark.django_db
PATH = "audit-entries/export"


def entry(organization, action="vm.create", **fields) -> AuditEntry:
    return AuditEntry.objects.create(
        actor_name="bob", action=action, organization_id=getattr(organization, "pk", None), **fields
    )


def body(answer) -> str:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content).decode()


def objects(answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body(answer).splitlines()]


def actions(answer) -> set[str]:
    return {row["action"] for row in objects(answer)}


@pytest.fixture
def acme(db):
    return make_organization("acme")


@pytest.fixture
def logs(acme, globex):
    entry(acme, "of.acme", object_name="web", outcome="refused")
    entry(acme, "of.acme.too")
    entry(globex, "of.globex")
    entry(None, "of.provider")


def test_an_organizations_admin_gets_his_organizations_entries_only(api, logs):
    assert actions(api("alice").get(f"{PATH}?format=jsonl")) == {"of.acme", "of.acme.too", "audit.export"}
    assert actions(api("charlie").get(f"{PATH}?format=jsonl")) == {"of.globex", "audit.export"}
    assert {"of.acme", "of.globex", "of.provider"} <= actions(api("root").get(f"{PATH}?format=jsonl"))


def test_it_is_filtered_as_the_list_is(api, acme, globex, logs):
    alice = api("alice")
    for query in ("outcome=refused", "q=web", "action=of.acme"):
        assert actions(alice.get(f"{PATH}?format=jsonl&{query}")) == {"of.acme"}, query
    assert actions(alice.get(f"{PATH}?format=jsonl&organization={globex.pk}")) == set()
    later = quote((timezone.now() + timedelta(hours=1)).isoformat())
    assert actions(alice.get(f"{PATH}?format=jsonl&since={later}")) == set()
    assert "of.acme" in actions(alice.get(f"{PATH}?format=jsonl&until={later}"))
    listed = alice.get(f"audit-entries?until={later}").json()["items"]
    assert "of.acme" in {row["action"] for row in listed}


@pytest.mark.parametrize(
    ("query", "field"),
    [("format=xml", "format"), ("since=yesterday", "since"), ("since=2026-01-01T00:00:00", "since"),
     ("until=0001-01-01T00:00:00%2B14:00", "until"), ("limit=3", "limit"), ("outcome=odd", "outcome")],
)  # fmt: skip
def test_what_it_cannot_mean_is_refused_by_name(api, acme, query, field):
    answer = api("alice").get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert not AuditEntry.objects.filter(action="audit.export").exists()


def test_an_accept_header_does_not_stand_in_the_way(api, acme):
    assert api("alice").get(PATH, Accept="text/csv").status_code == 200
    assert api("bob").get(PATH, Accept="text/csv").status_code == 403


def test_the_file_is_streamed_in_batches_newest_first_and_whole(api, acme, monkeypatch):
    monkeypatch.setattr(export, "BATCH", 7)
    for number in range(30):
        entry(acme, f"number.{number}")
    answer = api("alice").get(f"{PATH}?format=jsonl")
    assert answer.streaming
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert 'filename="audit-' in answer.headers["Content-Disposition"]
    found = objects(answer)
    assert [row["id"] for row in found] == sorted((row["id"] for row in found), reverse=True)
    assert sorted(row["action"] for row in found) == sorted(["audit.export", *(f"number.{n}" for n in range(30))])


def test_csv_has_what_json_has_and_starts_no_formula(api, acme):
    nasty = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", 'a,"b"\nc']
    for name in nasty:
        entry(acme, object_name=name, reason=name, after={"name": name})
    sealing.seal_all()
    rows = list(csv.DictReader(StringIO(body(api("alice").get(PATH)), newline="")))
    told = objects(api("alice").get(f"{PATH}?format=jsonl&action=vm.create"))
    made = [row for row in rows if row["action"] == "vm.create"]
    assert [row["id"] for row in made] == [row["id"] for row in told]
    assert {row["object_name"] for row in made} == {*(f"'{name}" for name in nasty[:-1]), nasty[-1]}
    for row in rows:
        assert not any(text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝")) for text in row.values())
    assert {json.loads(row["after"])["name"] for row in made} == set(nasty)
    seal = AuditSeal.objects.get(entry_id=told[0]["id"])
    assert (told[0]["number"], told[0]["digest"]) == (seal.number, seal.digest)


def test_the_export_is_audited_where_its_entries_are_from(api, acme, globex, logs):
    body(api("alice").get(f"{PATH}?outcome=refused"))
    told = AuditEntry.objects.get(action="audit.export")
    assert (told.organization_id, told.actor_name) == (acme.pk, "alice")
    assert told.after == {"format": "csv", "filters": {"outcome": "refused"}}
    body(api("root").get(f"{PATH}?organization={globex.pk}&format=jsonl"))
    assert AuditEntry.objects.filter(action="audit.export", organization_id=globex.pk, actor_name="root").exists()
    body(api("root").get(PATH))
    assert AuditEntry.objects.filter(action="audit.export", organization_id=None, actor_name="root").exists()


def test_another_tenants_admin_writes_nothing_into_a_log_that_is_not_his(api, acme, globex):
    body(api("charlie").get(f"{PATH}?organization={acme.pk}"))
    assert AuditEntry.objects.get(action="audit.export").organization_id == globex.pk


def test_the_activity_page_leads_to_the_files_of_what_it_shows(acme, logs):
    alice = browser("alice")
    page = alice.get("/activity/?outcome=refused").content.decode()
    for kind in ("csv", "jsonl"):
        assert f'href="/activity/export/?outcome=refused&amp;format={kind}"' in page
    assert actions(alice.get("/activity/export/?outcome=refused&format=jsonl")) == {"of.acme"}
    assert AuditEntry.objects.get(action="audit.export").organization_id == acme.pk
    assert alice.get("/activity/export/?format=xml").status_code == 400


def test_who_may_not_see_the_log_exports_what_he_did_himself(acme, logs):
    bob = make_person("bob")
    entry(acme, "mine", actor_id=bob.pk)
    assert actions(browser(bob).get("/activity/export/?format=jsonl")) == {"mine", "audit.export"}
    assert AuditEntry.objects.get(action="audit.export").organization_id == make_organization("acme").pk
