"""What a provider, or somebody in between, may not get away with: each a page, an audit entry, and nothing else."""

import hashlib
import hmac
import json
import socket
import time
from base64 import urlsafe_b64encode
from html import unescape

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from core.models import AuditEntry
from tenancy.models import Session, User
from tenancy.oidc import discovery, door, views
from tenancy.oidc.rows import Identity
from tenancy.services import throttle
from tests.portal import Browser, text
from tests.tenancy.oidc.conftest import back, begin, sign_in

pytestmark = pytest.mark.django_db


def refused(answer, word, *, status=422):
    """Not in, told why, on record, and nothing was made."""
    assert answer.status_code == status, text(answer)
    assert word in unescape(text(answer)), text(answer)
    assert not Identity.objects.exists()
    assert not Session.objects.filter(by_provider__isnull=False).exists()
    assert not User.objects.exclude(username="root").exists()
    entry = AuditEntry.objects.exclude(outcome="done").get()
    assert entry.action == "session.begin"
    assert entry.object_name == "sso"
    assert word in entry.reason
    return entry


def hs256_with_the_public_key(op, claims):
    pem = (
        op.keys["k1"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    told = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "k1"}, claims)]
    parts = [urlsafe_b64encode(part).rstrip(b"=") for part in told]
    mac = hmac.new(pem, b".".join(parts), hashlib.sha256).digest()  # PyJWT would not: it knows a PEM when it sees one
    return b".".join([*parts, urlsafe_b64encode(mac).rstrip(b"=")]).decode()


NOW = time.time
FOREIGN = rsa.generate_private_key(65537, 2048)
LISTED = urlsafe_b64encode(b'{"alg": "RS256", "kid": [1]}').rstrip(b"=").decode()
TWISTS = {
    "expired": (lambda op, c: c | {"exp": int(NOW()) - 120}, "it has expired"),
    "not yet valid": (lambda op, c: c | {"nbf": int(NOW()) + 600}, "it is not valid yet"),
    "from the future": (lambda op, c: c | {"iat": int(NOW()) + 600}, "it is not valid yet"),
    "old": (lambda op, c: c | {"iat": int(NOW()) - 3600}, "it is too old"),
    "no times": (lambda op, c: c | {"iat": float("inf")}, "it is malformed"),
    "without exp": (lambda op, c: {k: v for k, v in c.items() if k != "exp"}, "is missing"),
    "wrong issuer": (lambda op, c: c | {"iss": op.issuer + "/"}, "it is from another issuer"),
    "wrong audience": (lambda op, c: c | {"aud": "another"}, "it is for somebody else"),
    "several audiences": (lambda op, c: c | {"aud": ["ovim", "another"]}, "for several parties"),
    "another party's": (lambda op, c: c | {"aud": ["ovim", "x"], "azp": "x"}, "somebody else asked for it"),
    "wrong nonce": (lambda op, c: c | {"nonce": "n"}, "not the answer to this sign-in"),
    "without nonce": (lambda op, c: {k: v for k, v in c.items() if k != "nonce"}, "not the answer to this sign-in"),
    "without sub": (lambda op, c: {k: v for k, v in c.items() if k != "sub"}, "is missing"),
    "sub is a number": (lambda op, c: c | {"sub": 7}, "it is malformed"),
    "sub is empty": (lambda op, c: c | {"sub": ""}, "does not say who it is about"),
    "sub with a NUL": (lambda op, c: c | {"sub": "a\x00b"}, "does not say who it is about"),
    "another access token's": (lambda op, c: c | {"at_hash": "x"}, "belongs to another access token"),
    "alg none": (lambda op, c: jwt.encode(c, "", algorithm="none", headers={"kid": "k1"}), "algorithm that is not taken"),
    "HS256 with the public key": (hs256_with_the_public_key, "algorithm that is not taken"),
    "HS256 with the secret": (
        lambda op, c: jwt.encode(c, "s3cret &+/" * 4, algorithm="HS256", headers={"kid": "k1"}),
        "algorithm that is not taken",
    ),
    "signed by another": (
        lambda op, c: jwt.encode(c, FOREIGN, algorithm="RS256", headers={"kid": "k1"}),
        "its signature is wrong",
    ),
    "unknown key": (lambda op, c: op.sign(c, kid="k7"), "names no key"),
    "kid is a list": (lambda op, c: f"{LISTED}.{op.sign(c).partition('.')[2]}", "it is malformed"),
    "truncated": (lambda op, c: op.sign(c)[:-21], "it is malformed"),  # 321 characters: no base64, whatever they are
    "no token": (lambda op, c: "x", "it is malformed"),
    "huge": (lambda op, c: op.sign(c | {"x": "x" * 70_000}), "too large"),
}  # fmt: skip


@pytest.mark.parametrize("name", TWISTS)
def test_an_id_token_that_is_no_good(op, make_provider, name):
    twist, word = TWISTS[name]
    op.twist = lambda claims: twist(op, claims)
    _client, answer = sign_in(op, make_provider())
    refused(answer, word)


def test_algorithms_that_are_taken(op, make_provider):
    op.keys["e"] = ec.generate_private_key(ec.SECP256R1())
    provider = make_provider()
    for alg, kid in [("PS256", "k1"), ("RS512", "k1"), ("ES256", "e")]:
        op.alg, op.kid = alg, kid
        op.twist = lambda claims: {k: v for k, v in claims.items() if k != "at_hash"}
        _client, answer = sign_in(op, provider)
        assert answer.status_code == 302, (alg, text(answer))


def test_an_rsa_key_is_not_taken_for_another_algorithm(op, make_provider):
    """A header that names one algorithm and a key of another kind."""
    op.keys["e"] = ec.generate_private_key(ec.SECP256R1())
    op.twist = lambda claims: jwt.encode(claims, op.keys["k1"], algorithm="RS256", headers={"kid": "e"})
    _client, answer = sign_in(op, make_provider())
    refused(answer, "names no key")


def test_a_new_key_is_found_and_made_up_ones_ask_the_provider_once_in_a_while(op, make_provider, monkeypatch):
    provider = make_provider()
    sign_in(op, provider)
    op.keys["k2"] = rsa.generate_private_key(65537, 2048)
    op.kid = "k2"
    monkeypatch.setattr(discovery, "REREAD_SECONDS", 0.0)
    _client, answer = sign_in(op, provider)
    assert answer.status_code == 302
    monkeypatch.setattr(discovery, "REREAD_SECONDS", 30.0)
    asked = op.asked.count("/jwks")
    op.twist = lambda claims: op.sign(claims, kid="made-up")
    for _ in range(3):
        _client, answer = sign_in(op, provider)
        assert answer.status_code == 422
    assert op.asked.count("/jwks") == asked


def test_userinfo_about_somebody_else(op, make_provider):
    op.more = {"sub": "s-2", "groups": ["admins"]}
    _client, answer = sign_in(op, make_provider())
    refused(answer, "tells about somebody else")


def test_userinfo_about_nobody(op, make_provider):
    op.more = {"groups": ["admins"]}
    _client, answer = sign_in(op, make_provider())
    refused(answer, "tells about somebody else")


def test_userinfo_can_t_overwrite_what_was_signed(op, make_provider, acme):
    acme.second_factor_required = True
    acme.save()
    op.more = {"sub": "s-1", "amr": ["mfa"], "iss": "x"}
    client, answer = sign_in(op, make_provider(acme))
    assert answer.status_code == 302
    assert client.get("/vms/").headers["Location"] == "/account/second-factor/"


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("error=access_denied", "did not let you in"),
        ("error=<script>alert(1)</script>", "The provider refused the sign-in"),
        ("iss=https://other.example&code=c", "another provider than the one that was asked"),
        ("code=", "not complete"),
        ("", "not complete"),
    ],
)
def test_an_answer_that_is_a_refusal_or_is_not_whole(op, make_provider, query, word):
    provider = make_provider()
    client, state = begin(op, provider)
    answer = back(client, provider, state, query)
    assert "<script>alert" not in answer.content.decode()
    refused(answer, word)


def test_a_provider_that_names_itself_has_to(op, make_provider):
    op.metadata = {"authorization_response_iss_parameter_supported": True}
    provider = make_provider()
    _client, answer = sign_in(op, provider)
    refused(answer, "another provider than the one that was asked")
    client, state = begin(op, provider)
    assert back(client, provider, state, f"code=c&iss={op.issuer}").status_code == 302


def test_a_state_of_nobody_of_another_browser_or_of_another_provider(op, make_provider, acme):
    provider = make_provider()
    refused(back(Browser(), provider, "made-up"), "was not begun in this browser")
    client, state = begin(op, provider)
    assert back(Browser(), provider, state).status_code == 422
    other = make_provider(acme)
    assert back(client, other, state).status_code == 422
    assert op.forms == []  # the code went nowhere


def test_a_state_is_good_once_also_with_the_cookie_from_before(op, make_provider):
    provider = make_provider()
    client, state = begin(op, provider)
    before = client.cookies["sessionid"].value
    assert back(client, provider, state).status_code == 302
    client.cookies["sessionid"] = before
    answer = back(client, provider, state)
    assert answer.status_code == 422
    assert len(op.forms) == 1


def test_one_address_fills_no_audit_log(op, make_provider, monkeypatch):
    monkeypatch.setattr(throttle, "PER_ADDRESS", 2)
    provider = make_provider()
    answers = [back(Browser(), provider, "made-up").status_code for _ in range(3)]
    answers.append(Browser().post(f"/oidc/back-channel-logout/{provider.slug}/", {"logout_token": "x"}).status_code)
    assert answers == [422, 422, 429, 429]
    assert AuditEntry.objects.exclude(outcome="done").exclude(action="POST oidc-back-channel-logout").count() == 2


def test_keys_that_can_t_be_had_are_not_asked_for_again_at_once(op, make_provider):
    op.answers["/jwks"] = (500, {})
    provider = make_provider()
    for _ in range(3):
        assert sign_in(op, provider)[1].status_code == 503
    assert op.asked.count("/jwks") == 1


def test_a_state_grows_old(op, make_provider, monkeypatch):
    provider = make_provider()
    client, state = begin(op, provider)
    monkeypatch.setattr(views, "OLDEST_SECONDS", -1.0)
    refused(back(client, provider, state), "took too long")


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("invalid_grant", "it was used before"),
        ("invalid_client", "client id or secret"),
        ("x", "refused the sign-in (400)"),
    ],
)
def test_a_code_that_the_provider_does_not_take(op, make_provider, error, word):
    op.answers["/token"] = (400, {"error": error})
    _client, answer = sign_in(op, make_provider())
    refused(answer, word)


@pytest.mark.parametrize(
    ("path", "answer", "word"),
    [
        ("/token", (200, b"<html>"), "no JSON"),
        ("/token", (200, []), "no object"),
        ("/userinfo", (500, {}), "answers 500"),
        ("/userinfo", (302, "http://127.0.0.1:1/"), "leads elsewhere"),
        ("/jwks", (200, {"keys": 7}), "does not tell its keys"),
        ("/jwks", (404, {}), "does not tell its keys"),
        ("/userinfo", (200, b"x" * 1_200_000), "too large"),
    ],
)
def test_a_provider_that_answers_nonsense(op, make_provider, path, answer, word):
    op.answers[path] = answer
    _client, told = sign_in(op, make_provider())
    assert refused(told, word, status=503).outcome == "failed"


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"issuer": "https://elsewhere.example"}, "says that it is"),
        ({"jwks_uri": "https://10.0.0.1/keys"}, "is a private address"),
        ({"token_endpoint": "http://192.0.2.1/"}, "spoken to by https"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "is no good"),
        ({"token_endpoint": None}, "does not say its token_endpoint"),
    ],
)
def test_a_provider_that_lies_about_itself(op, make_provider, told, word):
    op.metadata = told
    answer = Browser().get(f"/oidc/{make_provider().slug}/start/")
    refused(answer, word, status=503)


def test_a_provider_that_is_down(op, make_provider):
    provider = make_provider(issuer="http://127.0.0.1:1")
    refused(Browser().get(f"/oidc/{provider.slug}/start/"), "can't be reached", status=503)


def test_a_provider_that_is_slow_is_not_waited_for_and_not_asked_again_at_once(op, make_provider, monkeypatch):
    monkeypatch.setattr(door, "TOTAL_SECONDS", 0.5)
    op.delay = 2.0
    provider = make_provider()
    began = time.monotonic()
    refused(Browser().get(f"/oidc/{provider.slug}/start/"), "no answer within", status=503)
    assert time.monotonic() - began < 1.9
    Browser().get(f"/oidc/{provider.slug}/start/")
    assert len(op.asked) == 1


def test_without_the_setting_no_provider_is_on_a_private_address(op, make_provider, settings):
    provider = make_provider()
    settings.OVIM_OIDC_HOSTS = ()
    refused(Browser().get(f"/oidc/{provider.slug}/start/"), "OVIM does not go where the provider points", status=503)
    assert op.asked == []


def test_a_name_that_leads_inside_is_not_followed(make_provider, settings, monkeypatch):
    """The name looks public, its address is not: found out where the socket is opened."""
    settings.OVIM_OIDC_HOSTS = ()
    provider = make_provider(issuer="https://sso.example.org")
    local = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: local)
    refused(Browser().get(f"/oidc/{provider.slug}/start/"), "private address", status=503)
