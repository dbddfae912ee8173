"""Idempotency-Key: what is sent twice is done once, whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from core.models import AnsweredRequest, AuditEntry
from core.tasks import sweep
from tests.cast import Api, make_person, session_of
from tests.domain import a_vdc, an_item
from tests.live.conftest import ROOT
from vdcs.models import QuotaScope
from vms.models import VirtualMachine

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def vm_body(vdc, name="web", **more):
    return {"vdc": str(vdc.pk), "name": name, "catalog_item": str(an_item().pk)} | more


@pytest.mark.django_db
def test_the_second_is_answered_as_the_first_was(api, cluster):
    body = vm_body(a_vdc())
    first = api("alice").post("vms", body, Idempotency_Key=KEY)
    again = api("alice").post("vms", body, Idempotency_Key=f'"{KEY}"')  # a structured field's string is the same key
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert VirtualMachine.objects.count() == 1
    assert AuditEntry.objects.filter(action="vm.create", actor_name="alice").count() == 1


@pytest.mark.django_db
def test_another_body_under_the_key_is_refused(api, cluster):
    body = vm_body(a_vdc())
    alice = api("alice")
    assert alice.post("vms", body, Idempotency_Key=KEY).status_code == 201
    answer = alice.post("vms", body | {"name": "db"}, Idempotency_Key=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert VirtualMachine.objects.count() == 1


@pytest.mark.django_db
def test_a_key_is_one_persons_at_one_address(api, cluster):
    vdc = a_vdc()
    body = vm_body(vdc)
    vm = api("alice").post("vms", body, Idempotency_Key=KEY).json()
    assert api("alice").post(f"vms/{vm['id']}/stop", Idempotency_Key=KEY).json()["power_state"] == "off"
    assert api("root").post("vms", body | {"name": "db"}, Idempotency_Key=KEY).status_code == 201
    stopped = api("alice").post(f"vms/{vm['id']}/stop", Idempotency_Key=KEY)
    assert stopped.headers["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
def test_a_refusal_is_not_kept(api, cluster):
    vdc = a_vdc(limits={"vms": 0})
    body = vm_body(vdc)
    refused = api("alice").post("vms", body, Idempotency_Key=KEY)
    assert (refused.status_code, refused.json()["code"]) == (422, "quota_exceeded")
    assert not AnsweredRequest.objects.exists()
    QuotaScope.objects.filter(vdc=vdc).update(limits={"vms": 1})
    assert api("alice").post("vms", body, Idempotency_Key=KEY).status_code == 201


@pytest.mark.django_db
def test_an_answer_without_a_body_is_replayed_too(api):
    root = api("root")
    user = make_person("bob")
    binding = {"user": str(user.pk), "role": "system_admin"}
    assert root.post("role-bindings", binding, Idempotency_Key=KEY).status_code == 201
    assert root.post("role-bindings", binding, Idempotency_Key=KEY).headers["Idempotent-Replayed"] == "true"
    assert root.post("role-bindings", binding).status_code == 409


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a" * 256, "ü", 'a"b', "a b", '"'])
def test_a_key_that_is_none_is_400(api, cluster, key):
    answer = api("alice").post("vms", vm_body(a_vdc()), Idempotency_Key=key)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


@pytest.mark.django_db
def test_keys_of_those_who_are_not_signed_in_are_not_looked_at(api):
    make_person("alice")
    answer = api(None).post("auth/login", {"username": "alice", "password": "wrong"}, Idempotency_Key='"')
    assert answer.status_code == 401
    assert not AnsweredRequest.objects.exists()


@pytest.mark.django_db
def test_after_a_day_the_key_is_free_again(api, cluster):
    body = vm_body(a_vdc())
    assert api("alice").post("vms", body, Idempotency_Key=KEY).status_code == 201
    AnsweredRequest.objects.update(answered_at=Now() - timedelta(hours=24, seconds=1))
    assert api("alice").post("vms", body | {"name": "db"}, Idempotency_Key=KEY).status_code == 201
    sweep()
    assert AnsweredRequest.objects.count() == 1  # the new answer took the old one's place
    AnsweredRequest.objects.update(answered_at=Now() - timedelta(hours=24, seconds=1))
    sweep()
    assert not AnsweredRequest.objects.exists()


@pytest.mark.django_db
def test_what_comes_without_a_key_pays_nothing(api, cluster):
    body, alice = vm_body(a_vdc()), api("alice")
    with CaptureQueriesContext(connection) as captured:
        assert alice.post("vms", body).status_code == 201
    assert "answeredrequest" not in str(captured.captured_queries)
    assert "advisory" not in str(captured.captured_queries)


@pytest.mark.django_db
def test_no_password_can_be_guessed_from_what_is_kept(api):
    body = {"username": "dora", "password": "a long enough secret"}
    assert api("root").post("users", body, Idempotency_Key=KEY).status_code == 201
    kept = AnsweredRequest.objects.get()
    assert b"secret" not in bytes(kept.body)
    assert len(kept.body_hash) == 64


def test_two_at_once_are_one_and_a_conflict(live_db):
    vdc = a_vdc()
    body = vm_body(vdc)
    alice = Api(session_of(make_person("alice")))
    answers: list[Any] = []
    with transaction.atomic():
        QuotaScope.objects.select_for_update().get(vdc=vdc)  # holds up the first in the middle of its transaction
        first = threading.Thread(target=_send, args=(alice, body, answers))
        first.start()
        _until_blocked()
        second = threading.Thread(target=_send, args=(alice, body, answers))
        second.start()
        second.join(5)
        (conflict,) = answers
    first.join(5)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "idempotency_in_progress")
    assert conflict.headers["Retry-After"] == "1"
    assert answers[1].status_code == 201
    assert alice.post("vms", body, Idempotency_Key=KEY).headers["Idempotent-Replayed"] == "true"
    assert VirtualMachine.objects.count() == 1


def _send(client, body, answers):
    answers.append(client.post("vms", body, Idempotency_Key=KEY))
    connection.close()


def _until_blocked():
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("the first request never waited")


KILLED = """
import os, signal, sys, json
import django
django.setup()
from core import replays
from core.api.base import ApiView
from tests.cast import Api
from tenancy.models import Session

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

where, session, body, key = sys.argv[1:]
if where == "before the answer is kept":
    replays.store = die
else:
    ApiView.finalize_response = die
Api(Session.objects.get(pk=session)).post("vms", json.loads(body), Idempotency_Key=key)
"""


@pytest.mark.parametrize(("where", "made"), [("before the answer is kept", 0), ("before the answer is sent", 1)])
def test_a_process_killed_between_effect_and_answer_has_done_both_or_neither(live_db, where, made):
    vdc = a_vdc()
    body = vm_body(vdc)
    session = session_of(make_person("alice"))
    died = subprocess.run(
        [sys.executable, "-c", KILLED, where, str(session.pk), json.dumps(body), KEY],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        timeout=60,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert (VirtualMachine.objects.count(), AnsweredRequest.objects.count()) == (made, made)
    answer = Api(session).post("vms", body, Idempotency_Key=KEY)
    assert answer.status_code == 201
    assert answer.headers.get("Idempotent-Replayed") == ("true" if made else None)
    assert VirtualMachine.objects.count() == 1
