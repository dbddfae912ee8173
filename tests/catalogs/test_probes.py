"""Looks at images as rows: claimed once for all who wait for an address, put off with growing pauses, never forgotten."""

import uuid
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from catalogs import probes
from catalogs.magic import Judgement, Verdict
from catalogs.models import ImageProbe

A, B = "https://images.example.org/a.qcow2", "https://images.example.org/b.qcow2"
PAGE = Judgement(Verdict.NOT_AN_IMAGE, "an HTML page")


@pytest.fixture(autouse=True)
def _database(live_db: None) -> None:
    """Rows that really commit: who claims must not see what another has claimed."""


def asked(url: str) -> uuid.UUID:
    disk = uuid.uuid4()
    with transaction.atomic():
        probes.request(disk_id=disk, url=url, owner=("vm", uuid.uuid4()))
    return disk


def row(disk: uuid.UUID) -> ImageProbe:
    return ImageProbe.objects.get(disk_id=disk)


def seconds_pass() -> None:
    ImageProbe.objects.update(due_at=timezone.now())


def test_one_look_serves_all_who_wait_for_the_address():
    disks, other = [asked(A), asked(A), asked(A)], asked(B)
    look = probes.claim()
    assert look is not None
    assert (look.url, len(look.ids)) == (A, 3)
    late = asked(A)  # after the look began: it is served by the next
    probes.settle(look, PAGE)
    assert {row(disk).verdict for disk in disks} == {Verdict.NOT_AN_IMAGE}
    assert row(disks[0]).message == f"{A} answers with an HTML page, not with a disk image."
    assert (row(other).verdict, row(late).verdict) == ("", "")


def test_what_is_claimed_is_nobody_elses_until_its_lease_ends():
    disk = asked(A)
    assert probes.claim() is not None
    assert probes.claim() is None
    seconds_pass()  # whoever had it was killed
    again = probes.claim()
    assert again is not None
    probes.settle(again, Judgement(Verdict.OK, "qcow2"))
    assert (row(disk).verdict, row(disk).attempts) == (Verdict.OK, 2)
    seconds_pass()
    assert probes.claim() is None


def test_what_cannot_be_reached_is_tried_with_growing_pauses_and_then_left_to_cdi():
    disk = asked(A)
    pauses = []
    for _ in range(probes.ATTEMPTS):
        assert row(disk).verdict == ""
        look = probes.claim()
        assert look is not None
        probes.put_off(look, "it answers 503")
        assert probes.claim() is None
        pauses.append(round((row(disk).due_at - timezone.now()).total_seconds()))
        seconds_pass()
    assert pauses[:4] == [2, 4, 8, 16]
    assert (row(disk).verdict, row(disk).message) == (Verdict.UNKNOWN, "it answers 503")
    assert probes.claim() is None


def test_a_host_that_is_down_lets_others_go_first():
    asked(A)
    look = probes.claim()
    assert look is not None
    probes.put_off(look, "down")
    asked(B)
    seconds_pass()
    found: Any = probes.claim()
    assert found.url == B


def test_a_verdict_about_a_disk_that_went_or_is_filled_anew_is_written_nowhere():
    disk = asked(A)
    look = probes.claim()
    assert look is not None
    with transaction.atomic():
        probes.forget([disk])
        probes.request(disk_id=disk, url=A, owner=("vm", uuid.uuid4()))
    probes.settle(look, PAGE)
    assert (row(disk).verdict, row(disk).attempts) == ("", 0)


def test_claiming_reads_no_more_than_what_is_pending():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalogs_imageprobe (id, disk_id, owner_kind, owner_id, url, verdict, message, attempts) "
            "SELECT gen_random_uuid(), gen_random_uuid(), 'vm', gen_random_uuid(), 'http://x/' || n, 'ok', '', 1 "
            "FROM generate_series(1, 20000) n"
        )
        cursor.execute("ANALYZE catalogs_imageprobe")
        asked(A)
        cursor.execute("EXPLAIN " + probes.CLAIM, [30])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan on catalogs_imageprobe" not in plan
