"""Entries older than the policy go, from the beginning of a chain, and what is left can still be verified."""

import os
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from core import retention, sealing, tasks
from core.models import AuditCheckpoint, AuditEntry, AuditSeal
from ovim_site.environment import SettingError, read
from tests.admin.scene import signed_in
from tests.cast import make_organization, make_person


def aged(as_owner, entries, days: int) -> None:
    """As if they had been written so many days ago: before they are sealed."""
    as_owner(
        "UPDATE core_auditentry SET at = at - %s WHERE id = ANY(%s)", timedelta(days=days), [e.pk for e in entries]
    )


def said_by(*arguments: str) -> str:
    said = StringIO()
    call_command("audit", *arguments, stdout=said)
    return said.getvalue()


@override_settings(OVIM_AUDIT_RETENTION_DAYS=90)
def test_what_is_too_old_goes_and_the_rest_still_verifies(acme, write, as_owner, verified, broken):
    old, young = write(acme, 5), write(acme, 3)
    aged(as_owner, old, 100)
    sealing.seal_all()
    tasks.expire()
    assert not AuditEntry.objects.filter(pk__in=[entry.pk for entry in old]).exists()
    assert AuditEntry.objects.filter(pk__in=[entry.pk for entry in young]).count() == 3
    assert AuditCheckpoint.objects.get().number == 5
    told = AuditEntry.objects.get(action="audit.expire")
    assert (told.organization_id, (told.after or {})["removed"]) == (acme.pk, 5)
    sealing.seal_all()
    assert "acme: 4 sealed (6 to 9)" in verified()
    root = signed_in("root")
    for page in ("", f"{AuditCheckpoint.objects.get().pk}/change/"):
        assert root.get(f"/admin/core/auditcheckpoint/{page}").status_code == 200
    as_owner("DELETE FROM core_auditseal WHERE number = 6")
    assert "seal 6 is missing" in broken()


@override_settings(OVIM_AUDIT_RETENTION_DAYS=90)
def test_nothing_goes_that_is_not_sealed(acme, write, as_owner):
    aged(as_owner, write(acme, 2), 100)
    assert "Nothing is older" in said_by("expire")
    assert AuditEntry.objects.count() == 2


@override_settings(OVIM_AUDIT_RETENTION_DAYS=90)
def test_many_go_in_batches(acme, write, as_owner, verified, monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 10)
    aged(as_owner, write(acme, 25), 100)
    sealing.seal_all()
    assert "acme: 25 entries removed" in said_by("expire")
    assert AuditCheckpoint.objects.count() == 3
    sealing.seal_all()
    assert "acme: 1 sealed (26 to 26)" in verified()


def test_without_a_policy_everything_is_kept(acme, write, as_owner):
    aged(as_owner, write(acme), 20_000)
    sealing.seal_all()
    tasks.expire()
    assert AuditEntry.objects.count() == 1


@override_settings(OVIM_AUDIT_RETENTION_DAYS=90)
def test_an_organization_may_have_a_policy_of_its_own(acme, write, as_owner):
    globex = make_organization("globex")
    for organization in (acme, globex):
        aged(as_owner, write(organization), 100)
    sealing.seal_all()
    assert "acme: kept 400 days" in said_by("keep", "--organization", "acme", "--days", "400")
    assert AuditEntry.objects.get(action="audit.keep").organization_id == acme.pk
    assert said_by("expire").splitlines() == ["globex: 1 entries removed."]
    assert "acme: kept for ever" in said_by("keep", "--organization", "acme", "--days", "0")
    assert "Nothing" in said_by("expire")
    assert "acme: kept 90 days" in said_by("keep", "--organization", "acme", "--days", "default")
    assert said_by("expire").splitlines() == ["acme: 1 entries removed."]


def test_a_policy_of_days_is_refused(acme):
    with pytest.raises(CommandError, match="from 30 to"):
        call_command("audit", "keep", "--organization", "acme", "--days", "1")
    with pytest.raises(SettingError, match="OVIM_AUDIT_RETENTION_DAYS must be 0"):
        read(dict(os.environ) | {"OVIM_AUDIT_RETENTION_DAYS": "7"})


@override_settings(OVIM_AUDIT_RETENTION_DAYS=90)
def test_tampered_entries_are_not_swept_away(acme, write, as_owner, broken):
    old = write(acme, 3)
    aged(as_owner, old, 100)
    sealing.seal_all()
    as_owner("UPDATE core_auditentry SET actor_name = 'mallory' WHERE id = %s", old[1].pk)
    with pytest.raises(retention.Tampered):
        retention.expire(acme.pk, timezone.now())
    tasks.expire()
    assert AuditSeal.objects.count() == 3
    assert "BROKEN at 2" in broken()


def test_a_noted_head_that_retention_removed_is_no_alarm(acme, write, as_owner, verified, broken):
    aged(as_owner, write(acme, 3), 100)
    sealing.seal_all()
    digests = dict(AuditSeal.objects.values_list("number", "digest"))
    retention.expire(acme.pk, timezone.now() - timedelta(days=50))
    assert "can't be compared" in verified("--head", f"acme=2:{digests[2]}")
    assert verified("--head", f"acme=3:{digests[3]}"), "the checkpoint has it"
    assert "no longer has" in broken("--head", f"acme=3:{digests[2]}")


@override_settings(OVIM_AUDIT_RETENTION_DAYS=90)
def test_the_provider_sets_it_over_the_api_and_the_organization_sees_it(api):
    acme = make_person("alice").organization
    assert acme is not None
    path = f"organizations/{acme.pk}/audit-retention"
    alice, root = api("alice"), api("root")
    assert alice.get(path).json() == {"days": None, "kept_days": 90}
    assert root.request("put", path, {"days": 400}).json() == {"days": 400, "kept_days": 400}
    assert alice.get(path).json() == {"days": 400, "kept_days": 400}
    entry = AuditEntry.objects.get(action="audit.keep")
    assert (entry.organization_id, entry.before, entry.after) == (acme.pk, {"days": None}, {"days": 400})
    refused = alice.request("put", path, {"days": 0})
    assert (refused.status_code, alice.get(path).json()["days"]) == (403, 400)
    assert api("charlie").get(path).status_code == api("charlie").request("put", path, {"days": 0}).status_code == 404
    for body in ({"days": 7}, {"days": -1}, {"days": "400"}, {}):
        answer = root.request("put", path, body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "days"), body
    assert root.request("put", path, {"days": None}).json() == {"days": None, "kept_days": 90}
