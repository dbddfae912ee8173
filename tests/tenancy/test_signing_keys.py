"""Access tokens: what makes one good, what makes it bad, and keys that change while tokens live."""

import base64
import json
import time
from datetime import timedelta
from io import StringIO

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from core.models import AuditEntry
from tenancy import keyring
from tenancy.api import tokens
from tenancy.models import SigningKey
from tests.cast import make_person, session_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_keys():
    keyring.forget()
    yield
    keyring.forget()


@pytest.fixture
def issued(db):
    return tokens.issue(session_of(make_person("bob")))["access"]


def ask(text):
    return Client(raise_request_exception=False).get("/api/v1/me", headers={"Authorization": f"Bearer {text}"})


def refusal(text):
    answer = ask(text)
    assert answer.status_code == 401, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    return answer.json()["detail"]


def claims_of(text):
    return jwt.decode(text, options={"verify_signature": False})


def signed(text, key=None, **changes):
    """The same token with other claims (None: without it), signed with our own key unless it is said otherwise."""
    claims = {name: value for name, value in (claims_of(text) | changes).items() if value is not None}
    signing = keyring.current().signing
    return jwt.encode(claims, key or signing.private, algorithm="ES256", headers={"kid": signing.kid})


def published():
    answer = Client().get("/.well-known/jwks.json")
    assert answer.status_code == 200
    return {key["kid"]: key for key in answer.json()["keys"]}


def keys(*arguments):
    out = StringIO()
    call_command("signing_keys", *arguments, stdout=out)
    return out.getvalue()


def rotate():
    keys("rotate")
    keyring.forget()  # on_commit does it where transactions end
    return keyring.current().signing.kid


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


NOW = int(time.time())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exp": NOW - 60}, "it has expired"),
        ({"nbf": NOW + 3600}, "it is not good yet"),
        ({"iss": "https://elsewhere.example"}, "issued by somebody else"),
        ({"aud": "another-service"}, "meant for somebody else"),
        ({"typ": "refresh"}, "it is no access token"),
        ({"sid": "not-an-id"}, "no token of ours"),
        ({"sid": 7}, "no token of ours"),
        *(({claim: None}, "") for claim in tokens.REQUIRED),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused_with_the_reason(issued, changes, said):
    assert ask(signed(issued)).status_code == 200
    assert said in refusal(signed(issued, **changes))


def test_clocks_may_differ_a_little(issued):
    now = int(time.time())
    assert ask(signed(issued, nbf=now + 3, iat=now + 3)).status_code == 200
    assert ask(signed(issued, exp=now - 2)).status_code == 200


def test_no_token_without_a_signature_is_taken(issued):
    kid = keyring.current().signing.kid
    unsigned = jwt.encode(claims_of(issued), "", algorithm="none", headers={"kid": kid})
    assert "only ES256" in refusal(unsigned)
    head = b64(json.dumps({"alg": "ES256", "kid": kid}).encode())
    refusal(f"{head}.{issued.split('.')[1]}.")


def test_the_public_key_is_no_shared_secret(issued):
    """The classic: HS256, with what everybody may read as the secret."""
    import hashlib
    import hmac

    key = keyring.current().signing
    for secret in (keyring.pem_of(key.public).encode(), json.dumps(published()[key.kid]).encode()):
        head = b64(json.dumps({"alg": "HS256", "typ": "JWT", "kid": key.kid}).encode())
        body = f"{head}.{b64(json.dumps(claims_of(issued)).encode())}"
        forged = f"{body}.{b64(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"
        assert "only ES256" in refusal(forged)


def test_a_key_that_is_not_ours(issued):
    other = ec.generate_private_key(ec.SECP256R1())
    assert "its signature is wrong" in refusal(signed(issued, key=other))
    stranger = jwt.encode(claims_of(issued), other, algorithm="ES256", headers={"kid": "made-up"})
    assert "no key of this id" in refusal(stranger)
    nameless = jwt.encode(claims_of(issued), other, algorithm="ES256")
    assert "no key of this id" in refusal(nameless)
    shown = jwt.encode(
        claims_of(issued), other, algorithm="ES256", headers={"jwk": keyring.jwk(other.public_key()), "kid": "x"}
    )
    assert "no key of this id" in refusal(shown)


def test_cut_off_and_mangled_tokens(issued):
    head, body, end = issued.split(".")
    for text in (
        issued[:-10], issued[: len(issued) // 2], head, f"{head}.{body}", f"{head}.{body}.{end}.{end}",
        f".{body}.{end}", f"{head}..{end}", "é" * 20, f"{head}.{b64(b'[]')}.{end}", f"{b64(b'[]')}.{body}.{end}",
        f"{b64(b'{')}.{body}.{end}", f"{head}.{body}.{'A' * 86}",
    ):  # fmt: skip
        refusal(text)


def test_a_huge_token_is_refused_before_it_is_read(issued, monkeypatch):
    def read(*_args, **_kwargs):
        raise AssertionError("it was read")

    monkeypatch.setattr("tenancy.api.tokens.jwt.get_unverified_header", read)
    assert "more than 2048 characters" in refusal("a." * 100_000)
    refused = Client(raise_request_exception=False).post(
        "/api/v1/auth/refresh", {"refresh": "a" * 4000}, content_type="application/json"
    )
    assert refused.status_code == 401


def test_everybody_can_check_a_token_with_what_is_published(issued):
    kid = jwt.get_unverified_header(issued)["kid"]
    key = published()[kid]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}, "nothing private"
    claims = jwt.decode(issued, jwt.PyJWK(key), algorithms=["ES256"], audience="ovim", issuer="http://testserver")
    assert claims["sub"] == str(make_person("bob").pk)


def test_tokens_outlive_a_rotation(issued):
    first = keyring.current().signing.kid
    second = rotate()
    assert second != first
    assert ask(issued).status_code == 200
    fresh = tokens.issue(session_of(make_person("bob")))["access"]
    assert jwt.get_unverified_header(fresh)["kid"] == second
    assert ask(fresh).status_code == 200
    assert set(published()) == {first, second}
    third = rotate()
    assert ask(fresh).status_code == 200
    assert set(published()) == {first, second, third}
    assert AuditEntry.objects.filter(action="signing_key.rotate").count() == 2


def test_a_retired_key_is_good_for_nothing_at_once(issued):
    first = keyring.current().signing.kid
    assert ask(issued).status_code == 200  # its signature has been checked and is remembered
    with pytest.raises(CommandError, match="rotate"):
        keys("retire", first)  # it signs
    rotate()
    keys("retire", first)
    keyring.forget()
    assert refusal(issued)
    assert first not in published()
    with pytest.raises(CommandError, match="ended already"):
        keys("retire", first)
    with pytest.raises(CommandError, match="no such"):
        keys("retire", "made-up")


def test_an_old_key_ends_by_itself(issued):
    first = keyring.current().signing.kid
    rotate()
    ends_at = SigningKey.objects.get(kid=first).ends_at
    assert ends_at is not None
    assert ends_at - timezone.now() > timedelta(days=7), "a refresh token lives that long"
    SigningKey.objects.filter(kid=first).update(ends_at=timezone.now() - timedelta(seconds=1))
    keyring.forget()
    assert refusal(issued)


def test_another_process_learns_of_a_new_key_when_it_meets_it(issued, monkeypatch):
    held = keyring.current()
    rotate()
    fresh = tokens.issue(session_of(make_person("bob")))["access"]
    monkeypatch.setitem(keyring._held, "keys", held)  # as one that has not looked since
    monkeypatch.setattr(keyring, "SOONEST_SECONDS", -1.0)
    tokens._verified.cache_clear()
    assert ask(fresh).status_code == 200


def test_made_up_key_ids_do_not_ask_the_database_each_time(issued, django_assert_num_queries):
    keyring.current()
    texts = [jwt.encode(claims_of(issued), "k" * 32, headers={"kid": f"made-up-{n}"}) for n in range(5)]
    with django_assert_num_queries(0):
        for text in texts:
            with pytest.raises(Exception, match="no key of this id"):
                tokens.read(text, tokens.Kind.ACCESS)


def test_private_keys_are_not_readable_in_the_database(settings):
    kid = rotate()
    kept = bytes(SigningKey.objects.get(kid=kid).private)
    assert b"PRIVATE" not in kept
    assert (
        keyring.current().signing.private.public_key().public_numbers()
        == keyring.current().signing.public.public_numbers()
    )
    settings.OVIM_CREDENTIAL_KEYS = (bytes(32),)
    keyring.forget()
    answer = Client(raise_request_exception=False).post(
        "/api/v1/auth/login",
        {"username": make_person("bob").username, "password": "correct horse battery"},
        content_type="application/json",
    )
    assert answer.status_code == 503
    assert "OVIM_CREDENTIAL_KEY is another one" in answer.json()["detail"]


def test_the_list_says_which_signs(issued):
    first = keyring.current().signing.kid
    assert "OVIM_JWT_KEY" in keys("list")
    second = rotate()
    lines = keys("list").splitlines()
    assert lines[0].startswith(second)
    assert lines[0].endswith("signs")
    assert any(first in line and "verifies until" in line for line in lines[1:])
