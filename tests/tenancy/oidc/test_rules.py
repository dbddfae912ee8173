"""Who runs providers and their rules, what can be tried out, and what would lock everybody out."""

import json

import jwt
import pytest

from core.models import AuditEntry
from tenancy.models import Organization, RoleBinding, User
from tenancy.oidc.rows import GroupRule, Identity, IdentityProvider
from tests.cast import make_person
from tests.portal import browser, text
from tests.tenancy.oidc.conftest import sign_in

pytestmark = pytest.mark.django_db
ADMINS = {"match": "exact", "value": "admins", "role": "org_admin"}


def given(op, **more):
    return {"name": "sso", "issuer": op.issuer, "client_id": "ovim", "client_secret": "hush", **more}


def test_an_organization_runs_its_own(api, op, acme, globex):
    alice = api("alice")
    made = alice.post("identity-providers", given(op, organization=str(acme.pk), rules=[ADMINS]))
    assert made.status_code == 201, made.content
    row = made.json()
    assert row["has_client_secret"] is True
    assert "client_secret" not in row
    assert row["rules"] == [
        {
            "claim": "",
            "match": "exact",
            "value": "admins",
            "role": "org_admin",
            "organization": str(acme.pk),
            "vdc": None,
            "gives_nothing": None,
        }
    ]
    assert bytes(IdentityProvider.objects.get().client_secret).find(b"hush") == -1
    assert "hush" not in json.dumps(list(AuditEntry.objects.values("before", "after")))
    edited = alice.patch(f"identity-providers/{row['id']}", {"client_secret": "", "display_name": "Acme"})
    assert (edited.status_code, edited.json()["has_client_secret"]) == (200, False)
    assert edited.json()["generation"] == 2
    stale = alice.patch(f"identity-providers/{row['id']}", {"display_name": "B"}, If_Match='"1"')
    assert stale.status_code == 412
    listed = alice.get("identity-providers").json()["items"]
    assert [item["name"] for item in listed] == ["sso"]
    charlie = api("charlie")
    assert charlie.get("identity-providers").json()["items"] == []
    assert charlie.get(f"identity-providers/{row['id']}").status_code == 404
    assert charlie.patch(f"identity-providers/{row['id']}", {"enabled": False}).status_code == 404
    assert charlie.post(f"identity-providers/{row['id']}/try", {"pasted": "{}"}).status_code == 404
    assert alice.delete(f"identity-providers/{row['id']}").status_code == 204


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"organization": None}, (403, None)),
        ({"rules": [{"value": "x", "role": "system_admin"}]}, (422, "rules")),
        ({"rules": [{"value": "x", "role": "user", "organization": "globex"}]}, (422, "rules[0].organization")),
        ({"rules": [{"value": "x", "role": "user", "vdc": "globex_main"}]}, (422, "vdc")),
        ({"rules": [{"value": "********", "match": "glob", "role": "user"}]}, (422, "rules")),
        ({"rules": [{"value": "", "role": "user"}]}, (422, "rules.0.value")),
        ({"email_domains": ["globex.example"]}, (403, None)),
        ({"issuer": "http://sso.example.org"}, (422, "issuer")),
        ({"issuer": "https://169.254.169.254/latest"}, (422, "issuer")),
        ({"issuer": "https://[::1]/"}, (422, "issuer")),
        ({"issuer": "https://0x7f.1/"}, (422, "issuer")),
        ({"issuer": "https://keycloak.auth.svc"}, (422, "issuer")),
        ({"issuer": "https://a:b@sso.example.org"}, (422, "issuer")),
        ({"issuer": "file:///etc/passwd"}, (422, "issuer")),
        ({"scopes": "profile"}, (422, "scopes")),
        ({"groups_claim": "two words"}, (422, "groups_claim")),
        ({"client_secrets": "x"}, (422, "client_secrets")),
    ],
)
def test_what_an_organizations_admin_may_not_say(api, op, globex_main, more, wanted):
    status, field = wanted
    alice, acme = api("alice"), Organization.objects.get(name="acme")
    ids = {"globex": str(globex_main.organization_id), "globex_main": str(globex_main.pk)}
    for rule in more.get("rules", []):
        for name in ("organization", "vdc"):
            rule[name] = ids.get(rule.get(name), rule.get(name))
    answer = alice.post("identity-providers", given(op, organization=str(acme.pk)) | more)
    assert answer.status_code == status, answer.content
    if field:
        assert field in [error["field"] for error in answer.json()["errors"]], answer.content
    assert not IdentityProvider.objects.exists()
    assert not GroupRule.objects.exists()


def test_an_email_domain_leads_to_one_provider(api, op, acme):
    root = api("root")
    first = root.post("identity-providers", given(op, organization=str(acme.pk), email_domains=["acme.example"]))
    assert first.status_code == 201, first.content
    answer = root.post("identity-providers", given(op, email_domains=["acme.example", "b.example"]))
    assert answer.status_code == 409
    # Its own admin keeps it and can't change it.
    path = f"identity-providers/{first.json()['id']}"
    assert api("alice").patch(path, {"email_domains": ["acme.example"]}).status_code == 200
    assert api("alice").patch(path, {"email_domains": []}).status_code == 403


def test_what_would_this_person_get(api, op, make_provider, acme, acme_dev):
    provider = make_provider(
        acme,
        rules=[ADMINS, {"claim": "roles", "match": "glob", "value": "dev-*", "role": "user", "vdc_id": acme_dev.pk}],
    )
    make_person("alice")
    before = {model: model.objects.count() for model in (User, Identity, RoleBinding, AuditEntry)}
    claims = {"sub": "s-1", "preferred_username": "dora", "groups": ["admins", "x"], "roles": "dev-1", "amr": ["mfa"]}
    for pasted in (json.dumps(claims), jwt.encode(claims, "k" * 32, algorithm="HS256")):
        answer = api("alice").post(f"identity-providers/{provider.pk}/try", {"pasted": pasted})
        assert answer.status_code == 200, answer.content
        told = answer.json()
        assert (told["username"], told["new"], told["refusal"]) == ("dora", True, "")
        assert told["groups"] == ["admins", "x"]
        assert [rule["holds"] for rule in told["rules"]] == [True, True]
        assert {(place["role"], place["vdc"]) for place in told["made"]} == {
            ("org_admin", None),
            ("user", str(acme_dev.pk)),
        }
        assert told["second_factor"] is True
    assert {model: model.objects.count() for model in before} == before
    op.more = {"sub": "s-1", "preferred_username": "dora", "groups": ["admins"]}
    sign_in(op, provider)
    told = api("alice").post(f"identity-providers/{provider.pk}/try", {"pasted": '{"sub": "s-1"}'}).json()
    assert (told["username"], told["new"]) == ("dora", False)
    assert [place["role"] for place in told["removed"]] == ["org_admin"]
    refused = api("alice").post(
        f"identity-providers/{provider.pk}/try", {"pasted": '{"sub": "s-1", "_claim_names": {"groups": "src1"}}'}
    )
    assert "did not send your groups" in refused.json()["refusal"]


@pytest.mark.parametrize("pasted", ["", "x", "a.b.c", "[]", "{", "7", "x" * 70_000])
def test_what_can_t_be_tried(api, make_provider, acme, pasted):
    answer = api("alice").post(f"identity-providers/{make_provider(acme).pk}/try", {"pasted": pasted})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["pasted"]
    assert "70000" not in answer.content.decode()


def test_a_pasted_token_is_nowhere_afterwards(make_provider, acme, caplog):
    provider = make_provider(acme)
    token = jwt.encode({"sub": "s-1", "groups": ["g"]}, "k" * 32, algorithm="HS256")
    page = browser("alice").post(f"/identity-providers/{provider.pk}/try/", {"pasted": token})
    assert page.status_code == 200
    assert "A new account" in text(page)
    assert token not in page.content.decode()
    assert token not in caplog.text
    assert not any(token in json.dumps(list(model.objects.values()), default=str) for model in (AuditEntry, Identity))


@pytest.mark.parametrize("how", ["rules", "claim", "disable", "delete", "api"])
def test_what_would_lock_every_admin_out_is_refused(api, op, make_provider, acme, how):
    provider = make_provider(acme, rules=[ADMINS])
    op.more = {"sub": "s-1", "preferred_username": "dora", "groups": ["admins"]}
    client, _answer = sign_in(op, provider)
    rule = provider.rules.get()
    if how == "rules":
        answer = client.post(f"/identity-providers/{provider.pk}/rules/{rule.pk}/delete/", {})
    elif how == "api":
        answer = api("root").patch(f"identity-providers/{provider.pk}", {"rules": []})
    elif how == "claim":
        answer = api("root").patch(f"identity-providers/{provider.pk}", {"groups_claim": "roles"})
    elif how == "disable":
        answer = api("root").patch(f"identity-providers/{provider.pk}", {"enabled": False})
    else:
        answer = api("root").delete(f"identity-providers/{provider.pk}")
    assert answer.status_code == 409, answer.content
    assert "nobody who can sign in would be an admin" in answer.content.decode()
    provider.refresh_from_db()
    assert (provider.enabled, provider.groups_claim, provider.rules.count()) == (True, "groups", 1)
    make_person("alice")  # an admin with a password: now it may be done
    if how == "delete":
        assert api("root").delete(f"identity-providers/{provider.pk}").status_code == 204
        assert not RoleBinding.objects.filter(user__username="dora").exists()
        assert client.get("/settings/").status_code == 302
        assert AuditEntry.objects.filter(action="binding.delete").exists()
    else:
        assert api("root").patch(f"identity-providers/{provider.pk}", {"rules": []}).status_code == 200


def test_rules_of_the_providers_own_people(api, op, make_provider):
    provider = make_provider(None, rules=[{"match": "exact", "value": "ops", "role": "system_admin"}])
    op.more = {"sub": "s-1", "preferred_username": "dora", "groups": ["ops"]}
    client, _answer = sign_in(op, provider)
    assert client.get("/clusters/").status_code == 200


def test_the_pages(op, acme, acme_dev):
    alice = browser("alice")
    answer = alice.fill(
        "/identity-providers/new/",
        name="sso",
        organization=str(acme.pk),
        issuer=op.issuer,
        display_name="Acme SSO",
        client_id="ovim",
        client_secret="hush",
        scopes="openid groups",
        enabled="on",
        creates_users="on",
        multi_factor="mfa, hwk",
        username_claim="preferred_username",
        email_claim="email",
        name_claim="name",
        groups_claim="realm_access.roles",
    )
    assert answer.status_code == 302, text(answer)
    provider = IdentityProvider.objects.get()
    assert (provider.organization, provider.multi_factor) == (acme, ["mfa", "hwk"])
    page = f"/identity-providers/{provider.pk}/"
    assert "http://testserver/oidc/acme.sso/callback/" in text(alice.get(page))
    assert f"It answers as {op.issuer}" in text(alice.get(page + "?look"))
    answer = alice.fill(
        page + "rules/new/", claim="", match="prefix", value="dev", role="user", place=f"{acme.pk}/{acme_dev.pk}"
    )
    assert answer.status_code == 302, text(answer)
    assert "acme/dev" in text(alice.get(page))
    assert (
        alice.fill(page + "rules/new/", match="exact", value="x", role="system_admin", place=str(acme.pk)).status_code
        == 422
    )
    secret = bytes(provider.client_secret)
    kept = ("client_id", "scopes", "username_claim", "email_claim", "name_claim", "groups_claim")
    as_before = {name: getattr(provider, name) for name in kept}
    answer = alice.fill(page + "edit/", display_name="Acme", enabled="on", **as_before)
    assert answer.status_code == 302, text(answer)
    provider.refresh_from_db()
    assert (provider.display_name, provider.creates_users, bytes(provider.client_secret)) == ("Acme", False, secret)
    assert alice.get("/identity-providers/").status_code == 200
    assert browser("charlie").get(page).status_code == 404
    assert browser("charlie").get(page + "try/").status_code == 404
    assert browser("bob").get(page).status_code == 403
    assert alice.fill(page + "delete/", confirm="sso").status_code == 302
    assert not IdentityProvider.objects.exists()


def test_asking_a_provider_tells_what_is_wrong_with_it(api, op, make_provider, acme):
    provider = make_provider(acme)
    answer = api("alice").post(f"identity-providers/{provider.pk}/check")
    assert answer.json()["token_endpoint"] == f"{op.issuer}/token"
    op.metadata = {"issuer": "https://elsewhere.example"}
    answer = api("alice").post(f"identity-providers/{provider.pk}/check")
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")


def test_an_access_token_with_that_right_alone_is_no_ladder(api, make_provider, acme):
    from tenancy.services import access_tokens
    from tests.cast import actor_of

    provider = make_provider(acme)
    alice = make_person("alice")
    _row, secret = access_tokens.create_token(
        actor=actor_of(alice), user=alice, name="t", days=1, rights=["identity_provider.edit", "identity_provider.view"]
    )
    client = api(None)
    client.headers["Authorization"] = f"Bearer {secret}"
    assert client.get(f"identity-providers/{provider.pk}").status_code == 200
    assert client.patch(f"identity-providers/{provider.pk}", {"rules": [ADMINS]}).status_code == 403
