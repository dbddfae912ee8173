"""Signing in by an identity provider: who gets in, as whom, and with which roles."""

import hashlib
from base64 import b64decode, urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from core.models import AuditEntry
from tenancy.models import RoleBinding, RoleName, Session, User
from tenancy.oidc.rows import Identity, ProviderSession
from tests.cast import make_person, make_user
from tests.portal import text
from tests.tenancy.oidc.conftest import back, begin, sign_in

pytestmark = pytest.mark.django_db


def test_a_newcomer_gets_an_account_of_the_providers_organization(op, make_provider, acme):
    provider = make_provider(acme)
    op.more = {"sub": "s-1", "preferred_username": "Dora.Lang", "email": "dora@acme.example", "name": "Dora Lang"}
    client, answer = sign_in(op, provider, query="?next=/vms/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/vms/")
    dora = User.objects.get(identities__subject="s-1")
    assert (dora.username, dora.email, dora.full_name) == ("dora.lang", "dora@acme.example", "Dora Lang")
    assert dora.organization == acme
    assert not dora.has_usable_password()
    assert client.get("/settings/").status_code == 200
    begun = AuditEntry.objects.get(action="session.begin")
    assert (begun.outcome, begun.actor_name, begun.after) == ("done", "dora.lang", {"by": "acme.sso"})


def test_the_request_has_pkce_state_nonce_and_an_address_of_this_provider(op, make_provider, acme):
    provider = make_provider(acme)
    client, state = begin(op, provider)
    back(client, provider, state)
    form = op.forms[0]
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert urlsafe_b64encode(digest).rstrip(b"=").decode() == op.challenge
    assert form["redirect_uri"] == "http://testserver/oidc/acme.sso/callback/"
    assert "client_secret" not in form
    sent = next(headers["Authorization"] for headers in op.headers if "Authorization" in headers)
    assert b64decode(sent.removeprefix("Basic ")).decode() == "ovim:s3cret+%26%2B%2F"


def test_a_provider_that_takes_the_secret_in_the_form_only_gets_it_there(op, make_provider):
    op.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    sign_in(op, make_provider())
    assert op.forms[0]["client_secret"] == "s3cret &+/"


def test_the_same_subject_is_the_same_account_whatever_it_is_called(op, make_provider):
    provider = make_provider()
    op.more = {"sub": "s-1", "preferred_username": "dora"}
    sign_in(op, provider)
    op.more = {"sub": "s-1", "preferred_username": "dora-married", "name": "Dora Kurz"}
    sign_in(op, provider)
    dora = User.objects.get(identities__subject="s-1")
    assert (dora.username, dora.full_name) == ("dora", "Dora Kurz")


def test_neither_name_nor_address_leads_into_an_account_that_there_is(op, make_provider, acme):
    alice = make_person("alice")
    alice.email = "alice@acme.example"
    alice.save()
    op.more = {"sub": "s-1", "preferred_username": "alice", "email": "alice@acme.example", "email_verified": True}
    sign_in(op, make_provider(acme, creates_users=True))
    other = Identity.objects.get().user
    assert other.pk != alice.pk
    assert other.username == "alice-2"
    assert not RoleBinding.objects.filter(user=other).exists()


def test_a_provider_without_newcomers_refuses_them_and_makes_nothing(op, make_provider, acme):
    _client, answer = sign_in(op, make_provider(acme, creates_users=False))
    assert answer.status_code == 422
    assert "There is no account for you yet" in text(answer)
    assert not User.objects.filter(organization=acme).exists()
    entry = AuditEntry.objects.get(action="session.begin")
    assert (entry.outcome, entry.organization_id) == ("refused", acme.pk)


@pytest.mark.parametrize("what", ["person", "organization", "provider"])
def test_who_is_disabled_stays_out(op, make_provider, acme, what):
    provider = make_provider(acme)
    sign_in(op, provider)
    client, state = begin(op, provider)
    if what == "person":
        User.objects.filter(identities__subject="s-1").update(is_active=False)
    elif what == "organization":
        acme.enabled = False
        acme.save()
    else:
        provider.enabled = False
        provider.save()
    answer = back(client, provider, state)
    assert answer.status_code == {"person": 422, "organization": 404, "provider": 404}[what]
    assert Session.objects.filter(user__identities__subject="s-1").count() == 1


def test_an_organizations_provider_is_no_ladder_to_rights_elsewhere(op, make_provider, acme, globex):
    """Whoever runs acme's provider could say that he is anybody: not somebody who may more than acme's admin."""
    provider = make_provider(acme)
    sign_in(op, provider)
    someone = Identity.objects.get().user
    RoleBinding.objects.create(user=someone, role=RoleName.USER, organization=globex)
    _client, answer = sign_in(op, provider)
    assert "rights outside of this organization" in text(answer)
    RoleBinding.objects.update(organization=None, role=RoleName.SYSTEM_ADMIN)
    _client, answer = sign_in(op, provider)
    assert "rights outside of this organization" in text(answer)


def test_an_identity_belongs_to_one_provider_alone(op, make_provider, acme, globex):
    sign_in(op, make_provider(acme))
    _client, answer = sign_in(op, make_provider(globex))
    assert "signs in by another way" in text(answer)
    assert Identity.objects.count() == 1


def test_groups_become_roles_and_go_with_them(op, make_provider, acme, acme_dev):
    provider = make_provider(
        acme,
        rules=[
            {"match": "exact", "value": "/cloud/admins", "role": "org_admin"},
            {"match": "prefix", "value": "/cloud/dev", "role": "vdc_admin", "vdc_id": acme_dev.pk},
            {"match": "glob", "value": "*-users", "role": "user"},
            {"claim": "realm_access.roles", "match": "exact", "value": "ops", "role": "vdc_admin"},
        ],
    )
    op.more = {"sub": "s-1", "groups": ["/cloud/admins", "/cloud/dev-team"], "realm_access": {"roles": ["ops"]}}
    client, _answer = sign_in(op, provider)
    bound = set(RoleBinding.objects.values_list("role", "vdc_id", "by_provider").exclude(by_provider=None))
    assert bound == {
        ("org_admin", None, provider.pk),
        ("vdc_admin", acme_dev.pk, provider.pk),
        ("vdc_admin", None, provider.pk),
    }
    make_person("alice")  # else the person would be the last admin
    op.more = {"sub": "s-1", "groups": "all-users"}
    sign_in(op, provider)
    assert list(RoleBinding.objects.filter(by_provider=provider).values_list("role", "vdc_id")) == [("user", None)]
    taken = AuditEntry.objects.filter(action="binding.delete")
    assert {entry.actor_name for entry in taken} == {"rules of acme.sso"}
    assert {entry.organization_id for entry in taken} == {acme.pk}
    assert client.get("/people/").status_code == 403  # without effect from the next request on


def test_roles_by_hand_are_left_alone(op, make_provider, acme):
    provider = make_provider(acme, rules=[{"match": "exact", "value": "users", "role": "user"}])
    sign_in(op, provider)
    someone = Identity.objects.get().user
    by_hand = RoleBinding.objects.create(user=someone, role=RoleName.USER, organization=acme)
    op.more = {"sub": "s-1", "groups": ["users"]}
    sign_in(op, provider)
    op.more = {"sub": "s-1", "groups": []}
    sign_in(op, provider)
    assert list(RoleBinding.objects.filter(user=someone)) == [by_hand]


def test_the_last_admin_stays_one_whatever_his_groups_say(op, make_provider, acme):
    provider = make_provider(acme, rules=[{"match": "exact", "value": "admins", "role": "org_admin"}])
    op.more = {"sub": "s-1", "groups": ["admins"]}
    sign_in(op, provider)
    op.more = {"sub": "s-1", "groups": []}
    _client, answer = sign_in(op, provider)
    assert answer.status_code == 302
    assert RoleBinding.objects.get(by_provider=provider).role == "org_admin"
    assert AuditEntry.objects.filter(action="binding.keep").exists()


def test_too_many_groups_for_the_token_is_said_and_nothing_is_taken_away(op, make_provider, acme):
    provider = make_provider(acme, rules=[{"match": "exact", "value": "users", "role": "user"}])
    op.claims = {"sub": "s-1", "groups": ["users"]}
    sign_in(op, provider)
    op.claims = {
        "sub": "s-1",
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": "https://x"}},
    }
    _client, answer = sign_in(op, provider)
    assert answer.status_code == 422
    assert "did not send your groups" in text(answer)
    assert RoleBinding.objects.filter(by_provider=provider).count() == 1


def test_what_the_provider_vouches_for_counts_as_second_factor(op, make_provider, acme):
    acme.second_factor_required = True
    acme.save()
    provider = make_provider(acme, rules=[{"match": "exact", "value": "users", "role": "user"}])
    op.more = {"sub": "s-1", "groups": ["users"]}
    client, _answer = sign_in(op, provider)
    assert client.get("/vms/").headers["Location"] == "/account/second-factor/"
    op.claims = {"sub": "s-1", "amr": ["pwd", "mfa"]}
    client, _answer = sign_in(op, provider)
    assert client.get("/vms/").status_code == 200


def test_without_that_ovims_own_factor_is_asked_for(op, make_provider, acme, monkeypatch):
    import pyotp

    from core import sealed
    from tenancy.models import SecondFactor
    from tenancy.services import codes

    provider = make_provider(acme)
    sign_in(op, provider)
    someone, secret = Identity.objects.get().user, pyotp.random_base32()
    SecondFactor.objects.create(
        user=someone, secret=sealed.seal(secret, codes.PURPOSE), confirmed_at=someone.created_at, recovery=[]
    )
    client, answer = sign_in(op, provider, query="?next=/vms/")
    assert answer.headers["Location"] == "/sign-in/code/?next=%2Fvms%2F"
    assert client.get("/vms/").status_code == 302  # not in yet
    assert client.post("/sign-in/code/", {"code": "000000"}).status_code == 422
    answer = client.post("/sign-in/code/?next=/vms/", {"code": pyotp.TOTP(secret).now()})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/vms/")
    assert ProviderSession.objects.filter(session__isnull=False).count() == 2
    op.claims = {"sub": "s-1", "acr": "http://schemas.openid.net/pape/policies/2007/06/multi-factor"}
    provider.multi_factor = [op.claims["acr"]]
    provider.save()
    _client, answer = sign_in(op, provider)
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_next_leads_nowhere_else(op, make_provider, address):
    _client, answer = sign_in(op, make_provider(), query=f"?next={address}")
    assert answer.headers["Location"] == "/"


def test_the_sign_in_page_offers_what_there_is_for_whom(op, make_provider, client, acme):
    make_provider(None, name="corp", display_name="Corporate")
    make_provider(acme, display_name="Acme SSO", email_domains=["acme.example"])
    page = text(client.get("/sign-in/"))
    assert "Sign in with Corporate" in page
    assert "Acme SSO" not in page
    assert "Sign in with Acme SSO" in text(client.get("/sign-in/acme/"))
    assert text(client.get("/sign-in/globex/")) == text(client.get("/sign-in/"))
    found = client.get("/sign-in/find/?who=Bob@ACME.example&next=/vms/")
    address = found.headers["Refresh"].partition("url=")[2]
    assert address == "/oidc/acme.sso/start/?next=%2Fvms%2F&hint=Bob%40ACME.example"
    asked = parse_qs(urlsplit(client.get(address).headers["Location"]).query)
    assert asked["login_hint"] == ["Bob@ACME.example"]
    assert client.get("/sign-in/find/?who=acme").headers["Location"] == "/sign-in/acme/?next=%2F"
    assert "use your password" in text(client.get("/sign-in/find/?who=x@nowhere.example"))


def test_names_of_accounts_are_made_from_what_there_is(op, make_provider):
    provider = make_provider()
    make_user("eva")
    for number, (claims, name) in enumerate(
        [
            ({"preferred_username": "Eva"}, "eva-2"),
            ({"preferred_username": "ÉVA "}, "va"),
            ({"email": "zoe@example.org"}, "zoe@example.org"),
            ({"preferred_username": "...", "email": 7}, "user"),
            ({"preferred_username": "x" * 400}, "x" * 140),
        ]
    ):
        op.claims = {"sub": f"n-{number}"}
        op.more = op.claims | claims
        _client, answer = sign_in(op, provider)
        assert answer.status_code == 302, text(answer)
        assert User.objects.get(identities__subject=f"n-{number}").username == name
