"""Identities of one's own account, and signing out together with the provider."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from core.models import AuditEntry
from tenancy.models import RoleBinding, RoleName, Session
from tenancy.oidc.rows import Identity, ProviderSession
from tenancy.oidc.tokens import LOGOUT_EVENT
from tests.cast import PASSWORD, make_person, make_user
from tests.portal import Browser, browser, text
from tests.tenancy.oidc.conftest import back, begin, sign_in

pytestmark = pytest.mark.django_db


def link(op, provider, client):
    onward = client.post(f"/account/identities/link/{provider.slug}/")
    assert onward.headers["Refresh"] == f"0; url=/oidc/{provider.slug}/start/"
    _client, state = begin(op, provider, client)
    return back(client, provider, state)


def test_a_person_links_an_identity_knowingly_and_signs_in_by_it(op, make_provider, acme):
    provider = make_provider(acme)
    op.more = {"sub": "s-1", "email": "al@acme.example"}
    client = browser("alice")
    answer = link(op, provider, client)
    assert answer.headers["Location"] == "/account/identities/confirm/"
    assert not Identity.objects.exists()
    assert "al@acme.example" in text(client.get("/account/identities/confirm/"))
    assert client.post("/account/identities/confirm/").status_code == 302
    assert Identity.objects.get().user.username == "alice"
    assert AuditEntry.objects.filter(action="identity.link").exists()
    assert client.post("/account/identities/confirm/").headers["Location"] == "/account/identities/"
    other, _answer = sign_in(op, provider)
    assert "Ways into your account" in text(other.get("/account/identities/"))
    assert Session.objects.filter(by_provider__isnull=False).get().user.username == "alice"


def test_an_address_alone_links_nothing(op, make_provider, acme):
    """Somebody lures a signed-in person to the start: that is a sign-in, never a link."""
    provider = make_provider(acme)
    client = browser("alice")
    _client, answer = sign_in(op, provider, client)
    assert answer.headers["Location"] == "/"
    assert Identity.objects.get().user.username != "alice"


def test_a_link_that_another_person_comes_back_to_is_none(op, make_provider, acme):
    provider = make_provider(acme)
    client = browser("alice")
    client.post(f"/account/identities/link/{provider.slug}/")
    _client, state = begin(op, provider, client)
    cookie = client.session["oidc_states"]
    client = browser("bob")
    session = client.session
    session["oidc_states"] = cookie
    session.save()
    client.cookies["sessionid"] = str(session.session_key)
    assert back(client, provider, state).status_code == 422
    assert not Identity.objects.exists()


def test_an_identity_is_linked_to_one_account(op, make_provider, acme):
    provider = make_provider(acme)
    sign_in(op, provider)
    client = browser("alice")
    link(op, provider, client)
    answer = client.post("/account/identities/confirm/")
    assert answer.status_code == 409
    assert "belongs to an account already" in text(answer)


def test_an_organizations_provider_links_none_of_others_people(op, make_provider, acme, globex):
    provider = make_provider(acme)
    for person in (make_person("charlie"), make_person("root")):
        client = browser(person)
        assert "Link an identity" not in text(client.get("/account/identities/"))
        link(op, provider, client)
        assert client.post("/account/identities/confirm/").status_code == 409
    alice = make_person("alice")
    RoleBinding.objects.create(user=alice, role=RoleName.USER, organization=globex)
    client = browser(alice)
    link(op, provider, client)
    assert client.post("/account/identities/confirm/").status_code == 409
    assert not Identity.objects.exists()


def test_the_last_way_in_stays(api, op, make_provider, acme):
    provider = make_provider(acme, rules=[{"match": "exact", "value": "users", "role": "user"}])
    op.more = {"sub": "s-1", "groups": ["users"]}
    client, _answer = sign_in(op, provider)
    identity = Identity.objects.get()
    answer = client.post(f"/account/identities/{identity.pk}/remove/")
    assert answer.status_code == 409
    assert "the only way into your account" in text(answer)
    user = identity.user
    user.set_password(PASSWORD)
    user.save()
    sign_in(op, provider)
    assert browser("bob").post(f"/account/identities/{identity.pk}/remove/").status_code == 404
    assert client.post(f"/account/identities/{identity.pk}/remove/").status_code == 302
    assert not Identity.objects.exists()
    assert not RoleBinding.objects.filter(user=user).exists()  # its rules say nothing of him any more
    assert Session.objects.filter(user=user, revoked_at=None).count() == 1  # this one; the other came by it


def test_one_s_identities_over_the_api(api, op, make_provider, acme):
    make_person("bob")
    bob = api("bob")
    assert bob.get("me/identities").json() == {"items": []}
    provider = make_provider(acme)
    identity = Identity.objects.create(provider=provider, issuer=op.issuer, subject="b", user=make_person("bob"))
    assert [item["subject"] for item in bob.get("me/identities").json()["items"]] == ["b"]
    assert api("alice").delete(f"me/identities/{identity.pk}").status_code == 404
    assert bob.delete(f"me/identities/{identity.pk}").status_code == 204


def test_signing_out_leads_to_the_providers_sign_out(op, make_provider):
    provider = make_provider()
    client, _answer = sign_in(op, provider)
    answer = client.post("/sign-out/")
    address = urlsplit(answer.headers["Refresh"].partition("url=")[2])
    told = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{op.issuer}/end_session"
    assert told["post_logout_redirect_uri"] == "http://testserver/sign-in/"
    assert told["client_id"] == "ovim"
    assert told["id_token_hint"].count(".") == 2
    assert not Session.objects.filter(by_provider__isnull=False, revoked_at=None).exists()
    assert client.get("/settings/").status_code == 302


def test_signing_out_does_not_hang_on_the_provider(op, make_provider):
    from tenancy.oidc import discovery

    client, _answer = sign_in(op, make_provider())
    discovery.forget()
    op.answers["/.well-known/openid-configuration"] = (500, {})
    answer = client.post("/sign-out/")
    assert answer.headers["Location"] == "/sign-in/"
    assert browser("bob").post("/sign-out/").headers["Location"] == "/sign-in/"


def logout(op, provider, **twist):
    now = int(time.time())
    claims = {
        "iss": op.issuer, "aud": "ovim", "iat": now, "exp": now + 120, "jti": uuid4().hex, "sub": "s-1",
        "events": {LOGOUT_EVENT: {}}, **twist,
    }  # fmt: skip
    token = op.sign({name: value for name, value in claims.items() if value is not ...})
    return Browser(enforce_csrf_checks=True).post(
        f"/oidc/back-channel-logout/{provider.slug}/", {"logout_token": token}
    )


def test_the_provider_ends_all_sessions_of_a_subject_at_once(op, make_provider):
    provider = make_provider()
    clients = [sign_in(op, provider)[0] for _ in range(2)]
    op.claims = op.more = {"sub": "s-2"}
    other, _answer = sign_in(op, provider)
    assert logout(op, provider).status_code == 200
    assert [client.get("/settings/").status_code for client in clients] == [302, 302]
    assert other.get("/settings/").status_code == 200
    entries = AuditEntry.objects.filter(action="session.end")
    assert {entry.actor_name for entry in entries} == {"identity provider sso"}


def test_the_provider_ends_one_session_by_its_sid(op, make_provider):
    provider = make_provider()
    clients = []
    for sid in ("x", "y"):
        op.claims = {"sub": "s-1", "sid": sid}
        clients.append(sign_in(op, provider)[0])
    assert logout(op, provider, sid="x", sub=...).status_code == 200
    assert [client.get("/settings/").status_code for client in clients] == [302, 200]
    assert logout(op, provider, sid="y", sub="s-2").status_code == 200  # another's: nothing
    assert clients[1].get("/settings/").status_code == 200


def test_a_sign_in_that_waits_for_a_code_ends_too(op, make_provider):
    from datetime import UTC, datetime

    import pyotp

    from core import sealed
    from tenancy.models import SecondFactor
    from tenancy.services import codes

    provider = make_provider()
    sign_in(op, provider)
    secret = pyotp.random_base32()
    SecondFactor.objects.create(
        user=Identity.objects.get().user, secret=sealed.seal(secret, codes.PURPOSE), confirmed_at=datetime.now(UTC)
    )
    client, answer = sign_in(op, provider)
    assert "/sign-in/code/" in answer.headers["Location"]
    assert logout(op, provider).status_code == 200
    assert client.post("/sign-in/code/", {"code": pyotp.TOTP(secret).now()}).status_code == 422
    assert not Session.objects.filter(revoked_at=None, user=Identity.objects.get().user).exists()
    assert ProviderSession.objects.filter(session=None).count() == 0


BAD: dict[str, dict[str, Any]] = {
    "no event": {"events": ...},
    "another event": {"events": {"x": {}}},
    "events is a list": {"events": [LOGOUT_EVENT]},
    "a nonce": {"nonce": "n"},
    "neither sid nor sub": {"sub": ...},
    "sid is a number": {"sid": 7},
    "no jti": {"jti": ...},
    "jti is a number": {"jti": 7},
    "no iat": {"iat": ...},
    "old": {"iat": int(time.time()) - 3600},
    "expired": {"exp": int(time.time()) - 3600},
    "wrong issuer": {"iss": "https://elsewhere.example"},
    "wrong audience": {"aud": "another"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_logout_token_that_is_no_good_ends_nothing(op, make_provider, name):
    provider = make_provider()
    client, _answer = sign_in(op, provider)
    answer = logout(op, provider, **BAD[name])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer.headers["Cache-Control"].startswith("max-age=0")
    assert client.get("/settings/").status_code == 200
    assert AuditEntry.objects.get(action="session.end").outcome == "refused"


def test_a_logout_token_comes_once(op, make_provider):
    provider = make_provider()
    assert logout(op, provider, jti="j").status_code == 200
    client, _answer = sign_in(op, provider)
    assert logout(op, provider, jti="j").status_code == 400
    assert client.get("/settings/").status_code == 200


def test_a_logout_token_of_another_key_or_none(op, make_provider):
    provider = make_provider()
    sign_in(op, provider)
    assert Browser().post(f"/oidc/back-channel-logout/{provider.slug}/", {}).status_code == 400
    assert Browser().post("/oidc/back-channel-logout/none/", {}).status_code == 404
    assert Browser().get(f"/oidc/back-channel-logout/{provider.slug}/").status_code == 405
    make_user("x")
