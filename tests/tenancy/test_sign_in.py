"""Signing in over the API: passwords, tokens, and how a session ends."""

import time
from datetime import timedelta

import jwt
import pytest
from django.utils import timezone

from core.models import AuditEntry
from tenancy import keyring
from tenancy.api import tokens
from tenancy.models import FailedSignIns, RoleBinding, Session, User
from tenancy.services import throttle
from tests.cast import PASSWORD, Api, make_person, session_of

pytestmark = pytest.mark.django_db


def sign_in(api, username="alice", password=PASSWORD):
    return api(None).post("auth/login", {"username": username, "password": password})


def bearer(api, token):
    client = api(None)
    client.headers["Authorization"] = f"Bearer {token}"
    return client


@pytest.fixture
def alice_user(db):
    return make_person("alice")


def test_answers_tokens_and_who_it_is(api, alice_user):
    answer = sign_in(api)
    assert answer.status_code == 200
    body = answer.json()
    assert body["expires_in"] == 600
    assert body["user"]["username"] == "alice"
    assert "vm.create" in body["user"]["rights"]
    me = bearer(api, body["access"]).get("me")
    assert me.status_code == 200
    assert me.json() == body["user"]


def test_the_access_token_names_session_and_key(api, alice_user):
    access = sign_in(api).json()["access"]
    header, claims = jwt.get_unverified_header(access), jwt.decode(access, options={"verify_signature": False})
    assert header["alg"] == "ES256"
    assert header["kid"] == keyring.current().signing.kid
    assert set(claims) == {"typ", "iss", "aud", "sub", "sid", "exp", "iat", "nbf", "jti"}
    assert claims["sub"] == str(alice_user.pk)
    assert claims["exp"] - claims["iat"] == 600


@pytest.mark.parametrize(("username", "password"), [("alice", "wrong"), ("nobody-at-all", PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_answer_alike(api, alice_user, username, password):
    answer = sign_in(api, username, password)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The user name or the password is wrong, or the account is disabled."
    entry = AuditEntry.objects.get(action="session.begin")
    assert (entry.outcome, entry.actor_name) == ("refused", username)


def test_an_unknown_name_takes_as_long_as_a_wrong_password(api, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    alice = make_person("alice")
    alice.set_password(PASSWORD)
    alice.save()

    def seconds(username):
        started = time.perf_counter()
        sign_in(api, username, "wrong")
        return time.perf_counter() - started

    seconds("alice")
    known, unknown = min(seconds("alice") for _ in range(3)), min(seconds("nope") for _ in range(3))
    assert 0.4 < known / unknown < 2.5


def test_a_disabled_person_cannot_sign_in(api, alice_user):
    User.objects.update(is_active=False)
    assert sign_in(api).status_code == 401


def test_people_of_a_disabled_organization_cannot_sign_in(api, alice_user, acme):
    acme.enabled = False
    acme.save()
    assert sign_in(api).status_code == 401


def test_too_many_failures_are_told_when_to_come_back(api, alice_user, monkeypatch):
    monkeypatch.setattr(throttle, "PER_PAIR", 2)
    assert [sign_in(api, password="wrong").status_code for _ in range(3)] == [401, 401, 429]
    blocked = sign_in(api)
    assert blocked.status_code == 429
    assert blocked.json()["code"] == "throttled"
    assert 0 < int(blocked.headers["Retry-After"]) <= throttle.WINDOW_SECONDS


def test_being_throttled_is_in_the_audit_log_and_does_not_fill_it(api, alice_user, monkeypatch):
    monkeypatch.setattr(throttle, "PER_PAIR", 1)
    answers = [sign_in(api, password="wrong") for _ in range(13)]
    entries = AuditEntry.objects.filter(action="session.begin", reason__startswith="Too many failed attempts")
    assert [(entry.outcome, entry.actor_name) for entry in entries] == [("refused", "alice")] * 2, (
        "the 1st and the 10th"
    )
    assert {entry.organization_id for entry in entries} == {alice_user.organization_id}
    assert answers[-1].json()["detail"] == "Too many failed attempts to sign in: try again in 15 minutes."
    assert AuditEntry.objects.filter(action="session.begin").count() == 3


def test_guessing_at_the_password_of_an_open_session_is_in_the_audit_log(api, alice_user, monkeypatch):
    monkeypatch.setattr(throttle, "PER_PAIR", 1)
    alice = api("alice")
    body = {"current_password": "wrong", "new_password": "a-very-long-passphrase"}
    assert [alice.post("me/password", body).status_code for _ in range(2)] == [422, 429]
    entry = AuditEntry.objects.get(action="session.begin", outcome="refused")
    assert (entry.actor_id, entry.actor_name) == (alice_user.pk, "alice")


def test_the_count_starts_anew_after_the_window(api, alice_user, monkeypatch):
    monkeypatch.setattr(throttle, "PER_PAIR", 1)
    assert [sign_in(api, password="wrong").status_code for _ in range(2)] == [401, 429]
    FailedSignIns.objects.update(since=timezone.now() - timedelta(seconds=throttle.WINDOW_SECONDS + 1))
    assert sign_in(api).status_code == 200


def test_signing_in_well_is_no_failure(api, alice_user, monkeypatch):
    monkeypatch.setattr(throttle, "PER_PAIR", 2)
    assert [sign_in(api).status_code for _ in range(3)] == [200, 200, 200]


def test_signs_in_while_redis_is_down(api, alice_user, settings):
    settings.OVIM_REDIS_URL = "redis://127.0.0.1:1/0"
    assert sign_in(api).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "alice"}, "password"),
        ({"username": 7, "password": "x"}, "username"),
        ({"username": "a" * 151, "password": "x"}, "username"),
        ({"username": "a\0b", "password": "x"}, "username"),
        ({"username": "alice", "password": "x" * 2000}, "password"),
        ({"username": "alice", "password": ["x"]}, "password"),
        ({"username": "alice", "password": "x", "admin": True}, "admin"),
    ],
)
def test_refuses_bad_shapes_by_field(api, body, field):
    answer = api(None).post("auth/login", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_signing_out_ends_the_access_token_at_once(api, alice_user):
    client = bearer(api, sign_in(api).json()["access"])
    assert client.post("auth/logout").status_code == 204
    refused = client.get("me")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_a_role_taken_away_is_gone_with_the_next_request(api):
    alice = api("alice")
    assert alice.get("users").status_code == 200
    RoleBinding.objects.all().delete()
    assert alice.get("users").status_code == 403


def test_disabling_a_person_ends_his_access_at_once(api):
    alice = api("alice")
    User.objects.update(is_active=False)
    assert alice.get("me").status_code == 401


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "Bearer nonsense", "Bearer a.b.c", "x" * 5000])
def test_headers_that_are_no_good_are_refused(api, header):
    client = api(None)
    client.headers["Authorization"] = header
    answer = client.get("me")
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_token_of_another_key_or_kind_is_refused(api, alice_user):
    session = session_of(alice_user)
    issued = tokens.issue(session)
    assert bearer(api, issued["refresh"]).get("me").status_code == 401
    claims = jwt.decode(issued["access"], options={"verify_signature": False})
    for forged in (jwt.encode(claims, "k" * 32, algorithm="HS256"), jwt.encode(claims, "", algorithm="none")):
        assert bearer(api, forged).get("me").status_code == 401
    past = jwt.encode(claims | {"exp": 1}, keyring.current().signing.private, algorithm="ES256")
    assert bearer(api, past).get("me").status_code == 401


def test_refreshing_gives_new_tokens(api, alice_user):
    first = sign_in(api).json()
    second = api(None).post("auth/refresh", {"refresh": first["refresh"]})
    assert second.status_code == 200
    assert second.json()["refresh"] != first["refresh"]
    assert bearer(api, second.json()["access"]).get("me").status_code == 200


def test_a_refresh_token_used_twice_ends_the_session(api, alice_user):
    first = sign_in(api).json()
    second = api(None).post("auth/refresh", {"refresh": first["refresh"]}).json()
    assert api(None).post("auth/refresh", {"refresh": first["refresh"]}).status_code == 401
    assert api(None).post("auth/refresh", {"refresh": second["refresh"]}).status_code == 401
    assert bearer(api, second["access"]).get("me").status_code == 401
    assert Session.objects.get().revoked_at is not None
    assert AuditEntry.objects.filter(action="session.end_by_reuse").exists()


def test_an_access_token_is_no_refresh_token(api, alice_user):
    assert api(None).post("auth/refresh", {"refresh": sign_in(api).json()["access"]}).status_code == 401


def test_how_to_sign_in_is_public(api):
    assert api(None).get("auth/info").json()["methods"] == ["password", "device"]


def test_a_bearer_is_one_query_and_the_answer_another(api, django_assert_num_queries):
    alice = api("alice")
    with django_assert_num_queries(2):
        alice.get("users")
    assert isinstance(alice, Api)


def test_a_token_that_was_good_is_refused_once_it_has_expired(client, monkeypatch):
    """Its signature is checked once; when it ends, at each use."""
    session = session_of(make_person("bob"))
    text = tokens.issue(session)["access"]
    header = {"HTTP_AUTHORIZATION": f"Bearer {text}"}
    assert client.get("/api/v1/me", **header).status_code == 200
    late = time.time() + tokens.ACCESS_LIFETIME.total_seconds() + tokens.LEEWAY_SECONDS + 1
    monkeypatch.setattr("tenancy.api.tokens.time.time", lambda: late)
    answer = client.get("/api/v1/me", **header)
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]
