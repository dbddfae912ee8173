"""The chain: every committed entry gets its place, none twice, whatever commits late; and tampering shows."""

import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from core import audit, sealing
from core.actor import system_actor
from core.models import AuditEntry, AuditSeal, AuditWaiting
from tests.cast import make_organization

ACTOR = system_actor("test")


def test_each_organization_has_a_chain_of_its_own(acme, write, verified):
    globex = make_organization("globex")
    write(acme, 3)
    write(globex, 2)
    with transaction.atomic():
        audit.record(ACTOR, "cluster.register", acme, organization_id=None)
    assert sealing.seal_all() == 6
    numbers = {pk: list(AuditSeal.objects.filter(chain=pk).order_by("number").values_list("number", flat=True))
               for pk in (acme.pk, globex.pk)}  # fmt: skip
    assert numbers == {acme.pk: [1, 2, 3], globex.pk: [1, 2]}
    said = verified()
    assert "acme: 3 sealed (1 to 3)" in said
    assert "globex: 2 sealed (1 to 2)" in said
    assert "the provider: 1 sealed" in said


def test_the_digest_is_over_the_entry_and_the_one_before(acme, write):
    first, second = write(acme, 2)
    sealing.seal_all()
    one, two = AuditSeal.objects.order_by("number")
    entry = AuditEntry.objects.values().get(pk=second.pk)
    assert two.digest == sealing.digest(acme.pk, 2, one.digest, entry)
    assert two.digest != sealing.digest(acme.pk, 2, "", entry)
    body = sealing.canonical(acme.pk, 1, "", AuditEntry.objects.values().get(pk=first.pk)).decode()
    assert body.startswith('{"chain":"' + str(acme.pk)), "keys are sorted"
    assert '"after":{"n":0}' in body


def test_what_commits_late_is_sealed_late_and_not_skipped(acme, write, verified):
    """Its id and time are older than those of what was sealed in between."""
    started, finish = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            audit.record(ACTOR, "slow", acme, organization_id=acme.pk)
            started.set()
            assert finish.wait(20)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert started.wait(20)
    (quick,) = write(acme)
    assert sealing.seal_all() == 1
    assert AuditSeal.objects.get().entry_id == quick.pk
    finish.set()
    thread.join()
    late = AuditEntry.objects.get(action="slow")
    assert late.pk < quick.pk
    assert "1 not yet sealed" in verified()
    assert sealing.seal_all() == 1
    assert AuditSeal.objects.get(number=2).entry_id == late.pk
    assert "2 sealed" in verified()


def _write_forty(*organizations) -> None:
    for number in range(40):
        with transaction.atomic():
            for organization in organizations:
                audit.record(ACTOR, "a", organization, organization_id=organization.pk)
            transaction.set_rollback(number % 5 == 0)
    connection.close()


def _seal_until(stop: threading.Event) -> None:
    while not stop.is_set():
        sealing.seal(batch=7)
    connection.close()


def test_a_crowd_of_writers_and_sealers_leaves_nothing_out_and_nothing_twice(acme, verified):
    globex = make_organization("globex")
    stop = threading.Event()
    with ThreadPoolExecutor(6) as pool:
        sealers = [pool.submit(_seal_until, stop) for _ in range(2)]
        writers = [pool.submit(_write_forty, acme, globex) for _ in range(4)]
        for writer in writers:
            writer.result()
        stop.set()
        for sealer in sealers:
            sealer.result()
    sealing.seal_all()
    assert AuditEntry.objects.count() == AuditSeal.objects.count() == 4 * 32 * 2
    assert not AuditWaiting.objects.exists()
    assert "128 sealed (1 to 128)" in verified("--organization", "acme")
    assert "128 sealed (1 to 128)" in verified("--organization", "globex")


def test_what_is_rolled_back_never_waits(acme):
    with transaction.atomic():
        audit.record(ACTOR, "a", acme, organization_id=acme.pk)
        transaction.set_rollback(True)
    assert not AuditWaiting.objects.exists()


ALTERED = (
    "actor_name = 'mallory'", "action = 'x'", "outcome = 'refused'", "reason = 'x'", "address = '::1'",
    "session_id = gen_random_uuid()", "request_id = 'x'", "object_name = 'x'", "object_kind = 'x'", "duration_ms = 1",
    "object_id = gen_random_uuid()", "at = at + interval '1 microsecond'", "after = '{\"n\": 7}'", "before = '{}'",
    "organization_id = NULL", "actor_id = gen_random_uuid()",
)  # fmt: skip


@pytest.mark.parametrize("change", ALTERED)
def test_an_altered_entry_shows_whatever_of_it(acme, change, write, as_owner, broken):
    _, second, _ = write(acme, 3)
    sealing.seal_all()
    as_owner(f"UPDATE core_auditentry SET {change} WHERE id = %s", second.pk)
    said = broken()
    assert "acme: BROKEN at 2" in said
    assert str(second.pk) in said


def test_a_deleted_entry_shows(acme, write, as_owner, broken):
    _, second, _ = write(acme, 3)
    sealing.seal_all()
    as_owner("DELETE FROM core_auditentry WHERE id = %s", second.pk)
    assert f"BROKEN at 2: entry {second.pk} was deleted" in broken("--organization", "acme")


def test_an_entry_deleted_with_its_seal_shows(acme, write, as_owner, broken):
    _, second, _ = write(acme, 3)
    sealing.seal_all()
    as_owner("DELETE FROM core_auditentry WHERE id = %s", second.pk)
    as_owner("DELETE FROM core_auditseal WHERE entry_id = %s", second.pk)
    assert "BROKEN at 2: seal 2 is missing" in broken()


def test_renumbered_seals_show(acme, write, as_owner, broken):
    _, second, _ = write(acme, 3)
    sealing.seal_all()
    as_owner("DELETE FROM core_auditentry WHERE id = %s", second.pk)
    as_owner("DELETE FROM core_auditseal WHERE entry_id = %s", second.pk)
    as_owner("UPDATE core_auditseal SET number = 2 WHERE number = 3")
    assert "BROKEN at 2" in broken()


def test_an_entry_inserted_past_the_trigger_shows(acme, write, as_owner, broken):
    write(acme, 2)
    sealing.seal_all()
    forged = uuid4()
    as_owner("ALTER TABLE core_auditentry DISABLE TRIGGER USER")
    try:
        as_owner(
            "INSERT INTO core_auditentry SELECT (jsonb_populate_record(e, jsonb_build_object('id', %s::text))).*"
            " FROM core_auditentry e LIMIT 1",
            str(forged),
        )
    finally:
        with connections["owner"].cursor() as cursor:
            cursor.execute("ALTER TABLE core_auditentry ENABLE TRIGGER USER")
    assert f"entry {forged} was inserted" in broken()


def test_an_entry_deleted_before_it_had_a_seal_shows(acme, write, as_owner, broken):
    (entry,) = write(acme)
    as_owner("DELETE FROM core_auditentry WHERE id = %s", entry.pk)
    sealing.seal_all()
    assert str(entry.pk) in broken()


def test_a_tail_cut_off_shows_to_whoever_noted_the_head(acme, write, as_owner, verified, broken):
    _, second, third = write(acme, 3)
    sealing.seal_all()
    head = f"acme=3:{AuditSeal.objects.get(number=3).digest}"
    assert verified("--head", head)
    for entry in (second, third):
        as_owner("DELETE FROM core_auditentry WHERE id = %s", entry.pk)
        as_owner("DELETE FROM core_auditseal WHERE entry_id = %s", entry.pk)
    assert verified(), "by itself a shorter chain is a good chain"
    assert "no longer has" in broken("--head", head)


def test_a_sealed_entry_put_on_the_list_again_neither_stops_the_sealer_nor_is_sealed_twice(acme, write):
    (entry,) = write(acme)
    sealing.seal_all()
    AuditWaiting.objects.create(entry_id=entry.pk)
    AuditWaiting.objects.create(entry_id=uuid4())  # of nothing that there is
    write(acme)
    sealing.seal_all()
    assert AuditSeal.objects.count() == 2


def test_an_organization_that_there_is_not_is_refused(acme):
    with pytest.raises(CommandError, match="no organization"):
        call_command("audit", "verify", "--organization", "initech", stdout=StringIO())
