"""What every answer carries, and what every writing page asks for."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver

from tests.cast import PASSWORD, make_person
from tests.portal import browser
from tests.test_permissions import PAGE_METHODS, _patterns

pytestmark = pytest.mark.django_db
NO_ROW = str(uuid4())
ROOT = Path(__file__).resolve().parents[2]
WANTED = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# May be kept: it says so itself.
KEPT = {"/.well-known/jwks.json"}
INLINE = re.compile(
    rb"<script(?![^>]*\bsrc=)[^>]*>|\son[a-z]+\s*=\s*[\"']|\sstyle\s*=\s*[\"']|<style\b|javascript:", re.IGNORECASE
)


def pages(method: str) -> list[str]:
    """Addresses of everything outside the API and the admin that answers to this method, with ids that there are not."""
    return sorted(
        "/" + re.sub(r"<uuid:\w+>", NO_ROW, route).replace("<str:name>", "web")
        for route, _pattern in _patterns(get_resolver())
        if not route.startswith(("api/v1/", "admin/")) and method in PAGE_METHODS.get(route, ("get",))
    )


def policy_of(answer) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))


@pytest.mark.parametrize("name", ["root", None])
def test_every_answer_carries_the_headers(cluster, api, name):
    client = browser(name) if name else Client(raise_request_exception=False)
    answers = {address: client.get(address) for address in [*pages("get"), "/nope", "/admin/", "/static/nope.css"]}
    answers["too large"] = client.post("/sign-in/", headers={"Content-Length": "99999999"})
    answers["/api/v1/me"] = api(name).get("me")
    answers["/api/v1/nope"] = api(name).get("nope")
    for address, answer in answers.items():
        for header, value in WANTED.items():
            if header == "Cache-Control" and address in KEPT:
                continue
            assert value in answer.headers.get(header, ""), (address, header, answer.headers.get(header))
        assert "camera=()" in answer.headers["Permissions-Policy"], address


@pytest.mark.parametrize("name", ["root", None])
def test_no_page_has_script_or_style_of_its_own_and_the_policy_allows_none(cluster, name):
    client = browser(name) if name else Client(raise_request_exception=False)
    for address in [*pages("get"), "/admin/", "/admin/tenancy/user/", "/nope"]:
        answer = client.get(address)
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        policy = policy_of(answer)
        assert policy["default-src"] == "'none'", address
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'", address
        assert policy["form-action"] == "'self'", address
        for directive in ("script-src", "style-src"):
            assert "unsafe" not in policy[directive], address
            assert "*" not in policy[directive], address
        assert not (found := INLINE.search(answer.content)), (address, found)


def test_every_writing_page_asks_for_its_token(cluster):
    """Without the token nothing is written, whoever is signed in: 403 before any of our code has looked at it."""
    client = browser("root")
    client.handler.enforce_csrf_checks = True
    # A provider tells of a sign-out by a signed token, not by a cookie.
    by_token = "/oidc/back-channel-logout/<str:slug>/"
    addresses = [*(set(pages("post")) - {by_token}), "/admin/tenancy/user/"]
    assert len(addresses) > 50
    for address in addresses:
        assert client.post(address).status_code == 403, address


def test_no_page_writes_on_get(cluster):
    """What only writes answers 405 to a GET: no link and no image makes somebody do something."""
    client = browser("root")
    for address in sorted(set(pages("post")) - set(pages("get"))):
        assert client.get(address).status_code == 405, address


def test_cookies_are_out_of_reach_of_scripts_and_other_sites():
    make_person("alice")
    client = Client()
    client.get("/sign-in/")
    client.post("/sign-in/", {"username": "alice", "password": PASSWORD})
    assert {"sessionid", "csrftoken"} <= set(client.cookies)
    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"], cookie["domain"], cookie["path"]) == (True, "Lax", "", "/"), (
            name
        )


@pytest.mark.parametrize(
    "host", ["evil.example.org", "testserver.evil.example.org", "evil@testserver", "testserver:80/x", "a b"]
)
def test_a_host_that_is_not_ours_is_refused_everywhere(host):
    for address in ("/sign-in/", "/api/v1/auth/info", "/nope"):
        answer = Client(raise_request_exception=False).get(address, headers={"Host": host})
        assert answer.status_code == 400, (address, answer.content[:200])
        assert "evil" not in answer.headers.get("Location", "")


def test_what_the_proxy_says_of_the_host_is_not_believed():
    answer = Client().get("/vms/", headers={"X-Forwarded-Host": "evil.example.org"})
    assert answer.headers["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", "http://testserver.evil.example.org"])
@pytest.mark.parametrize("address", ["/api/v1/me", "/api/v1/auth/login", "/vms/", "/sign-in/"])
def test_no_origin_is_let_in_by_default(address, origin):
    for method in ("get", "options"):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = getattr(Client(raise_request_exception=False), method)(address, headers=headers)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-allow")]


def test_an_origin_that_is_configured_gets_the_api_and_never_cookies(settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://console.example.org"]
    headers = {"Origin": "https://console.example.org"}
    api, page = Client().get("/api/v1/auth/info", headers=headers), Client().get("/sign-in/", headers=headers)
    assert api.headers["Access-Control-Allow-Origin"] == "https://console.example.org"
    assert "Access-Control-Allow-Credentials" not in api.headers
    assert "Access-Control-Allow-Origin" not in page.headers


EVIL = ["https://evil.example.org/", "//evil.example.org", "/\\evil.example.org", "\\\\evil.example.org", "javascript:alert(1)",
        "http:///evil.example.org", "https:evil.example.org", " //evil.example.org", "\t//evil.example.org"]  # fmt: skip


@pytest.mark.parametrize("wanted", EVIL)
def test_nothing_leads_out(wanted):
    make_person("alice")
    client = Client()
    for address, more in (
        ("/preferences/", {"theme": "dark"}),
        ("/sign-in/", {"username": "alice", "password": PASSWORD}),
    ):
        assert client.post(address, {**more, "next": wanted}).headers["Location"] == "/", address
        assert client.post(f"{address}?next={quote(wanted)}", more).headers["Location"] == "/", address


def test_no_writing_page_leads_out(cluster):
    client = browser("root")
    for address in pages("post"):
        answer = client.post(address, {"next": "//evil.example.org"}, headers={"Referer": "https://evil.example.org/"})
        assert "evil" not in answer.headers.get("Location", ""), address


@pytest.mark.parametrize("path", ["../ovim_site/settings.py", "..%2fovim_site%2fsettings.py", "%2e%2e/%2e%2e/etc/passwd",
                                  "css/../../manage.py", "..\\manage.py", "/etc/passwd", "css/%00.css"])  # fmt: skip
def test_static_files_are_no_way_to_others(path):
    answer = Client(raise_request_exception=False).get(f"/static/{path}")
    assert answer.status_code in (400, 404), answer.content[:200]


# --- as deployed ----------------------------------------------------------------------------------------------------


def deployed(*command: str) -> "subprocess.CompletedProcess[str]":
    """A command with the settings of an installation behind TLS."""
    environment = os.environ | {"OVIM_PUBLIC_URL": "https://cloud.example.org", "OVIM_ALLOWED_HOSTS": ""}
    environment["OVIM_LOOPBACK_CLUSTERS"] = "false"
    environment["DJANGO_SETTINGS_MODULE"] = "ovim_site.settings"
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=120
    )


def test_djangos_own_checks_of_a_deployment_have_nothing_to_say():
    ended = deployed("manage.py", "check", "--deploy", "--fail-level", "DEBUG")
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    assert "no issues" in ended.stdout


def test_only_checks_with_a_reason_are_silenced():
    """The reasons stand beside them in the settings."""
    assert set(settings.SILENCED_SYSTEM_CHECKS) == {"admin.E408", "security.W005", "security.W021"}


LOOK = """
import django
django.setup()
from django.test import Client
plain = Client().get("/sign-in/", headers={"Host": "cloud.example.org"})
print(plain.status_code, plain.headers["Location"])
print(Client().get("/healthz", headers={"Host": "10.0.0.1"}).status_code)
page = Client(headers={"Host": "cloud.example.org", "X-Forwarded-Proto": "https"}).get("/healthz")
print(page.headers["Strict-Transport-Security"])
from django.conf import settings
print(settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE)
"""


def test_behind_tls_cookies_are_secure_and_bound_to_the_host_and_nothing_is_served_in_the_clear():
    ended = deployed("-c", LOOK)
    assert ended.stdout.splitlines() == [
        "301 https://cloud.example.org/sign-in/",
        "200",
        "max-age=31536000",
        "__Host-sessionid __Host-csrftoken True True",
    ], ended.stderr
