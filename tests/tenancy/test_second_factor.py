"""Codes of an authenticator app: enrolling, signing in with them, losing the device, organizations that require them."""

import time

import pyotp
import pytest

from core.models import AnsweredRequest, AuditEntry
from tenancy.models import RoleName, SecondFactor
from tenancy.services import throttle
from tests.cast import PASSWORD, make_person, make_user, session_of

pytestmark = pytest.mark.django_db


class Phone:
    """An authenticator app whose clock can be moved."""

    def __init__(self, secret):
        self.totp = pyotp.TOTP(secret)

    def code(self, steps=0):
        return self.totp.at(time.time() + 30 * steps)


def sign_in(api, name="bob", **more):
    return api(None).post("auth/login", {"username": name, "password": PASSWORD, **more})


def said(answer, status, code=None):
    assert answer.status_code == status, answer.content
    body = answer.json()
    if code:
        assert body["code"] == code
    return body["detail"]


def enrol(client):
    begun = client.post("me/second-factor")
    assert begun.status_code == 200, begun.content
    phone = Phone(begun.json()["secret"])
    done = client.post("me/second-factor/confirm", {"code": phone.code(-1)})
    assert done.status_code == 200, done.content
    return phone, done.json()["recovery_codes"]


@pytest.fixture
def bob(api):
    return api("bob")


def test_begun_is_not_confirmed(api, bob):
    begun = bob.post("me/second-factor").json()
    assert begun["uri"].startswith("otpauth://totp/OVIM:bob?secret=" + begun["secret"])
    assert sign_in(api).status_code == 200
    assert bob.get("me/second-factor").json()["enabled"] is False
    wrong = bob.post("me/second-factor/confirm", {"code": "000000"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "code"


def test_once_confirmed_signing_in_takes_a_code(api, bob):
    phone, _ = enrol(bob)
    assert "authenticator" in said(sign_in(api), 401, "second_factor_required")
    said(sign_in(api, code="000000"), 401, "second_factor_wrong")
    assert AuditEntry.objects.filter(action="session.begin", outcome="refused").count() == 1
    done = sign_in(api, code=phone.code())
    assert done.status_code == 200
    assert done.json()["user"]["username"] == "bob"
    assert bob.get("me/second-factor").json() | {"since": ""} == {
        "enabled": True, "demanded": False, "since": "", "recovery_codes_left": 10,
    }  # fmt: skip


def test_a_wrong_password_does_not_tell_whether_there_is_a_factor(api, bob):
    phone, _ = enrol(bob)
    for code in ("", phone.code()):
        answer = api(None).post("auth/login", {"username": "bob", "password": "wrong", "code": code})
        said(answer, 401, "unauthenticated")


def test_a_code_is_good_once(api, bob):
    phone, _ = enrol(bob)
    code = phone.code()
    assert sign_in(api, code=code).status_code == 200
    said(sign_in(api, code=code), 401, "second_factor_wrong")
    said(sign_in(api, code=phone.code(-1)), 401, "second_factor_wrong")  # earlier than one that was taken
    assert sign_in(api, code=phone.code(+1)).status_code == 200


def test_clocks_may_be_off_by_one_step(api, bob):
    phone, _ = enrol(bob)
    said(sign_in(api, code=phone.code(-3)), 401, "second_factor_wrong")
    said(sign_in(api, code=phone.code(+3)), 401, "second_factor_wrong")
    assert sign_in(api, code=f" {phone.code(+1)[:3]} {phone.code(+1)[3:]} ").status_code == 200


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "12 34", "-12345"])
def test_what_is_no_code(bob, api, code):
    enrol(bob)
    assert sign_in(api, code=code).status_code == 401


def test_guesses_are_counted_and_the_password_alone_forgives_none(api, bob, monkeypatch):
    monkeypatch.setattr(throttle, "PER_PAIR", 3)
    phone, _ = enrol(bob)
    for _ in range(3):
        said(sign_in(api), 401, "second_factor_required")
        said(sign_in(api, code="000000"), 401, "second_factor_wrong")
    blocked = sign_in(api, code=phone.code())
    said(blocked, 429)
    assert int(blocked.headers["Retry-After"]) > 0


def test_a_recovery_code_is_good_once(api, bob):
    _, recovery = enrol(bob)
    assert len(set(recovery)) == 10
    assert sign_in(api, code=recovery[0].upper()).status_code == 200
    said(sign_in(api, code=recovery[0]), 401, "second_factor_wrong")
    assert sign_in(api, code=recovery[1].replace("-", "")).status_code == 200
    assert bob.get("me/second-factor").json()["recovery_codes_left"] == 8


def test_new_recovery_codes_end_the_old_ones(api, bob):
    phone, old = enrol(bob)
    assert bob.post("me/second-factor/recovery-codes", {"code": "000000"}).status_code == 422
    new = bob.post("me/second-factor/recovery-codes", {"code": phone.code()}).json()["recovery_codes"]
    said(sign_in(api, code=old[0]), 401, "second_factor_wrong")
    assert sign_in(api, code=new[0]).status_code == 200


def test_secrets_are_told_once_and_not_kept_in_the_clear(bob):
    begun = bob.post("me/second-factor", {}, Idempotency_Key="k")
    secret = begun.json()["secret"]
    assert begun.headers["Cache-Control"] == "no-store"
    again = bob.post("me/second-factor", {}, Idempotency_Key="k").json()
    assert again["secret"] is None
    phone = Phone(secret)
    told = bob.post("me/second-factor/confirm", {"code": phone.code()}, Idempotency_Key="k2").json()["recovery_codes"]
    row = SecondFactor.objects.get()
    kept = str([bytes(a.body) for a in AnsweredRequest.objects.all()]) + str(list(AuditEntry.objects.values()))
    kept += str(bytes(row.secret)) + str(row.recovery)
    for text in (secret, *told, *(code.replace("-", "") for code in told)):
        assert text not in kept


def test_it_is_removed_with_a_code_only(api, bob):
    phone, _ = enrol(bob)
    assert bob.post("me/second-factor/remove", {"code": "000000"}).status_code == 422
    assert bob.post("me/second-factor").status_code == 409
    assert bob.post("me/second-factor/remove", {"code": phone.code()}).status_code == 204
    assert sign_in(api).status_code == 200
    assert AuditEntry.objects.filter(action="second_factor.remove").exists()


def test_guesses_to_remove_it_are_counted(bob, monkeypatch):
    monkeypatch.setattr(throttle, "PER_PAIR", 2)
    enrol(bob)
    found = [bob.post("me/second-factor/remove?dry_run=true", {"code": "000000"}).status_code for _ in range(3)]
    assert found == [422, 422, 429]


def test_confirming_ends_ones_other_sessions(api, bob):
    other = session_of(make_person("bob"))
    enrol(bob)
    other.refresh_from_db()
    assert other.revoked_at is not None
    assert bob.get("me").status_code == 200


def test_an_admin_takes_a_lost_factor_away(api, bob, acme):
    enrol(bob)
    person = make_person("bob")
    assert api("charlie").post(f"users/{person.pk}/reset-second-factor").status_code == 404
    assert api("vera").post(f"users/{person.pk}/reset-second-factor").status_code == 403
    assert api("alice").post(f"users/{person.pk}/reset-second-factor").status_code == 200
    assert bob.get("me").status_code == 401
    assert sign_in(api).status_code == 200
    entry = AuditEntry.objects.get(action="second_factor.reset")
    assert (entry.actor_name, entry.object_id) == ("alice", person.pk)
    assert api("alice").post(f"users/{person.pk}/reset-second-factor").status_code == 409
    founder = make_user("founder", RoleName.SYSTEM_ADMIN, home=acme)
    assert api("alice").post(f"users/{founder.pk}/reset-second-factor").status_code == 403
    assert api("alice").post(f"users/{make_person('alice').pk}/reset-second-factor").status_code == 409


def test_where_it_is_required_nothing_else_works_before(api, acme):
    bob, alice = api("bob"), api("alice")
    assert bob.get("vdcs").status_code == 200
    on = alice.patch(f"organizations/{acme.pk}", {"second_factor_required": True})
    assert on.json()["second_factor_required"] is True
    assert bob.get("vdcs").status_code == 403
    me = bob.get("me").json()
    assert (me["must_enrol_second_factor"], me["rights"]) == (True, [])
    assert alice.get("users").status_code == 403  # she, too
    assert api("charlie").get("users").status_code == 200  # from elsewhere
    phone, _ = enrol(bob)
    assert bob.get("vdcs").status_code == 200
    assert bob.get("me").json()["must_enrol_second_factor"] is False
    assert bob.post("me/second-factor/remove", {"code": phone.code()}).status_code == 409
    assert AuditEntry.objects.filter(action="organization.edit").latest("at").after == {"second_factor_required": True}


def test_service_accounts_need_none(api, acme):
    alice = api("alice")
    account = alice.post("service-accounts", {"name": "ci", "organization": str(acme.pk)}).json()
    alice.post("role-bindings", {"user": account["id"], "role": "user", "organization": str(acme.pk)})
    secret = alice.post("tokens", {"name": "t", "service_account": account["id"]}).json()["token"]
    mine = alice.post("tokens", {"name": "mine"}).json()["token"]
    alice.patch(f"organizations/{acme.pk}", {"second_factor_required": True})
    assert api(None).get("vdcs", Authorization=f"Bearer {secret}").status_code == 200
    assert api(None).get("vdcs", Authorization=f"Bearer {mine}").status_code == 403
