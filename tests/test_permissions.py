"""Every route there is, and who gets past its door. A route missing from the table fails: someone has to decide.

A cell is what the person gets: `ok` (2xx, or a refusal of his body or of a missing row, which is past the door),
`401` or `403`, or `in` (sent to the sign-in page). The rows behind the door: each app's own tests.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from core.rights import Right
from tenancy.middleware import COOKIE_KEY
from tests.cast import make_person, session_of
from vdcs.models import QuotaScope, Vdc

pytestmark = pytest.mark.django_db
ADMIN = "admin/"
PEOPLE = ("root", "alice", "vera", "bob", "nobody", None)
ALL = "ok ok ok ok ok ok"
SIGNED_IN = "ok ok ok ok ok 401"
WITH_A_ROLE = "ok ok ok ok 403 401"
PROVIDER = "ok 403 403 403 403 401"
ORGANIZATION = "ok ok 403 403 403 401"
NO_COOKIE = "in in in in in in"
VDC_ADMIN = "ok ok ok 403 403 401"

# Pages with a form, read and sent alike. Behind the door of a missing row there is a 404.
FORMS = {
    "clusters/new/": PROVIDER,
    "clusters/<uuid:pk>/edit/": PROVIDER,
    "clusters/<uuid:pk>/access/": PROVIDER,
    "clusters/<uuid:pk>/check/": PROVIDER,
    "clusters/<uuid:pk>/drain/": PROVIDER,
    "clusters/<uuid:pk>/delete/": PROVIDER,
    "clusters/<uuid:pk>/forget/": PROVIDER,
    "people/new/": ORGANIZATION,
    "people/<uuid:pk>/edit/": ORGANIZATION,
    "people/<uuid:pk>/disable/": ORGANIZATION,
    "people/<uuid:pk>/enable/": ORGANIZATION,
    "people/<uuid:pk>/delete/": ORGANIZATION,
    "people/<uuid:pk>/password/": ORGANIZATION,
    "people/<uuid:pk>/second-factor/": ORGANIZATION,
    "people/<uuid:pk>/roles/": ORGANIZATION,
    "people/<uuid:pk>/preview/": ORGANIZATION,
    "orgs/<uuid:pk>/roles/new/": ORGANIZATION,
    "own-roles/<uuid:pk>/edit/": ORGANIZATION,
    "own-roles/<uuid:pk>/delete/": ORGANIZATION,
    "orgs/<uuid:pk>/groups/new/": ORGANIZATION,
    "groups/<uuid:pk>/": VDC_ADMIN,
    "groups/<uuid:pk>/edit/": ORGANIZATION,
    "groups/<uuid:pk>/delete/": ORGANIZATION,
    "memberships/<uuid:pk>/remove/": ORGANIZATION,
    "vms/<uuid:pk>/people/": VDC_ADMIN,
    "account/password/": SIGNED_IN,
    "device/": SIGNED_IN,
    "account/second-factor/": SIGNED_IN,
    "account/tokens/new/": SIGNED_IN,
    "account/tokens/<uuid:pk>/delete/": SIGNED_IN,
    "orgs/<uuid:pk>/service-accounts/new/": ORGANIZATION,
    "service-accounts/<uuid:pk>/tokens/new/": ORGANIZATION,
    "service-accounts/<uuid:pk>/delete/": ORGANIZATION,
    "orgs/<uuid:pk>/invitations/new/": ORGANIZATION,
    "invitations/<uuid:pk>/withdraw/": ORGANIZATION,
    "account/identities/confirm/": SIGNED_IN,
    "identity-providers/new/": ORGANIZATION,
    "identity-providers/<uuid:pk>/edit/": ORGANIZATION,
    "identity-providers/<uuid:pk>/delete/": ORGANIZATION,
    "identity-providers/<uuid:pk>/try/": ORGANIZATION,
    "identity-providers/<uuid:pk>/rules/new/": ORGANIZATION,
    "identity-providers/<uuid:pk>/rules/<uuid:rule>/delete/": ORGANIZATION,
    "orgs/new/": PROVIDER,
    "orgs/<uuid:pk>/edit/": ORGANIZATION,
    "orgs/<uuid:pk>/quota/": ORGANIZATION,
    "orgs/<uuid:pk>/disable/": ORGANIZATION,
    "orgs/<uuid:pk>/enable/": ORGANIZATION,
    "orgs/<uuid:pk>/delete/": PROVIDER,
    "orgs/<uuid:pk>/undo-deletion/": PROVIDER,
    "orgs/<uuid:pk>/logo/": ORGANIZATION,
    "orgs/<uuid:pk>/people/": VDC_ADMIN,
    "vdcs/new/": ORGANIZATION,
    "vdcs/<uuid:pk>/edit/": ORGANIZATION,
    "vdcs/<uuid:pk>/delete/": ORGANIZATION,
    "vdcs/<uuid:pk>/people/": VDC_ADMIN,
    "roles/<uuid:pk>/end/": ORGANIZATION,
    "roles/<uuid:pk>/remove/": ORGANIZATION,
    "vms/<uuid:pk>/edit/": WITH_A_ROLE,
}

# (method, route) → what root, alice, vera, bob, nobody and a stranger get.
TABLE = {
    ("get", "healthz"): ALL,
    ("get", "readyz"): ALL,
    ("get", "metrics"): ALL,
    ("get", ".well-known/jwks.json"): ALL,
    ("get", "api/schema/"): ALL,
    ("get", "api/docs/"): ALL,
    ("get", "sign-in/"): ALL,
    ("post", "sign-in/"): ALL,
    **{(method, f"sign-in/{page}/"): ALL for method in ("get", "post") for page in ("forgotten", "reset")},
    ("get", "branding/<slug:name>/logo"): ALL,
    ("get", "branding/<slug:name>/style.css"): ALL,
    ("get", "invitation/"): ALL,
    ("post", "invitation/"): ALL,
    ("post", "invitation/join/"): NO_COOKIE,
    ("get", "orgs/<uuid:pk>/invitations/"): NO_COOKIE,
    ("post", "invitations/<uuid:pk>/resend/"): NO_COOKIE,
    ("get", "sign-in/code/"): NO_COOKIE,  # without the first step, back to it
    ("post", "sign-in/code/"): NO_COOKIE,
    ("get", "sign-in/<str:organization>/"): ALL,
    ("post", "sign-in/<str:organization>/"): ALL,
    ("get", "sign-in/find/"): ALL,
    ("get", "oidc/<str:slug>/start/"): ALL,  # who is let in is the provider's word: tests/tenancy/oidc
    ("get", "oidc/<str:slug>/callback/"): ALL,
    ("post", "oidc/back-channel-logout/<str:slug>/"): ALL,
    ("get", "account/identities/"): NO_COOKIE,
    ("post", "account/identities/link/<str:slug>/"): NO_COOKIE,
    ("post", "account/identities/<uuid:pk>/remove/"): NO_COOKIE,
    ("get", "identity-providers/"): NO_COOKIE,
    ("get", "identity-providers/<uuid:pk>/"): NO_COOKIE,
    ("get", "account/sessions/"): NO_COOKIE,
    ("post", "account/sessions/end-others/"): NO_COOKIE,
    ("post", "account/sessions/<uuid:pk>/end/"): NO_COOKIE,
    ("get", "account/tokens/"): NO_COOKIE,
    ("get", "orgs/<uuid:pk>/roles/"): NO_COOKIE,
    ("get", "orgs/<uuid:pk>/groups/"): NO_COOKIE,
    ("post", "preview/end/"): NO_COOKIE,
    ("get", "orgs/<uuid:pk>/service-accounts/"): NO_COOKIE,
    ("post", "preferences/"): ALL,
    # The cookie's door: bearer tokens are nothing to pages. Who signed in may open which: `PAGES` below.
    ("get", ""): NO_COOKIE,
    ("post", "sign-out/"): NO_COOKIE,
    ("get", "search/"): NO_COOKIE,
    ("get", "place/"): NO_COOKIE,
    ("get", "settings/"): NO_COOKIE,
    ("post", "views/"): NO_COOKIE,
    ("post", "views/<uuid:pk>/remove/"): NO_COOKIE,
    ("get", "drift/"): NO_COOKIE,
    ("get", "vms/<uuid:pk>/drift/"): NO_COOKIE,
    ("get", "vdcs/<uuid:pk>/drift/"): NO_COOKIE,
    ("get", "orgs/<uuid:pk>/drift/"): NO_COOKIE,
    ("get", "vdcs/<uuid:pk>/unmanaged/"): NO_COOKIE,
    ("get", "vdcs/<uuid:pk>/unmanaged/<str:name>/adopt/"): NO_COOKIE,
    ("post", "vdcs/<uuid:pk>/unmanaged/<str:name>/adopt/"): NO_COOKIE,
    ("get", "clusters/<uuid:pk>/orphans/"): NO_COOKIE,
    ("post", "clusters/<uuid:pk>/audit/"): NO_COOKIE,
    ("post", "orphans/<uuid:pk>/delete/"): NO_COOKIE,
    ("get", "clusters/"): NO_COOKIE,
    ("get", "clusters/<uuid:pk>/"): NO_COOKIE,
    ("get", "orgs/"): NO_COOKIE,
    ("get", "orgs/<uuid:pk>/"): NO_COOKIE,
    ("get", "people/"): NO_COOKIE,
    ("get", "people/<uuid:pk>/"): NO_COOKIE,
    ("get", "activity/"): NO_COOKIE,
    ("get", "activity/<uuid:pk>/"): NO_COOKIE,
    ("get", "activity/export/"): NO_COOKIE,
    ("get", "vdcs/"): NO_COOKIE,
    ("get", "vdcs/<uuid:pk>/"): NO_COOKIE,
    ("get", "catalog/"): NO_COOKIE,
    ("get", "catalog/<uuid:pk>/"): NO_COOKIE,
    ("post", "vms/bulk/"): NO_COOKIE,
    ("get", "vms/"): NO_COOKIE,
    ("get", "vms/new/"): NO_COOKIE,
    ("post", "vms/new/"): NO_COOKIE,
    ("get", "vms/<uuid:pk>/"): NO_COOKIE,
    ("get", "vms/<uuid:pk>/menu/"): NO_COOKIE,
    ("get", "vdcs/<uuid:pk>/menu/"): NO_COOKIE,
    ("get", "orgs/<uuid:pk>/menu/"): NO_COOKIE,
    ("get", "people/<uuid:pk>/menu/"): NO_COOKIE,
    ("post", "vms/<uuid:pk>/power/"): NO_COOKIE,
    ("post", "vms/<uuid:pk>/orders/"): NO_COOKIE,
    ("get", "vms/<uuid:pk>/delete/"): NO_COOKIE,
    ("post", "vms/<uuid:pk>/delete/"): NO_COOKIE,
    **{(method, route): NO_COOKIE for route in FORMS for method in ("get", "post")},
    ("post", "api/v1/auth/login"): ALL,
    ("post", "api/v1/auth/refresh"): ALL,
    ("get", "api/v1/auth/info"): ALL,
    ("post", "api/v1/auth/device"): ALL,
    ("post", "api/v1/auth/device/token"): ALL,
    ("post", "api/v1/auth/password-reset"): ALL,
    ("post", "api/v1/auth/invitation"): ALL,
    ("post", "api/v1/auth/invitation/accept"): ALL,
    ("post", "api/v1/me/invitation"): SIGNED_IN,
    **{(method, "api/v1/invitations"): ORGANIZATION for method in ("get", "post")},
    **{(method, "api/v1/invitations/<uuid:pk>"): ORGANIZATION for method in ("get", "delete")},
    ("post", "api/v1/invitations/<uuid:pk>/resend"): ORGANIZATION,
    ("post", "api/v1/auth/password-reset/confirm"): ALL,
    ("post", "api/v1/auth/logout"): SIGNED_IN,
    ("get", "api/v1/me"): SIGNED_IN,
    ("post", "api/v1/me/password"): SIGNED_IN,
    ("get", "api/v1/me/sessions"): SIGNED_IN,
    ("delete", "api/v1/me/sessions/<uuid:pk>"): SIGNED_IN,
    ("post", "api/v1/me/sessions/end-others"): SIGNED_IN,
    ("get", "api/v1/me/second-factor"): SIGNED_IN,
    ("post", "api/v1/me/second-factor"): SIGNED_IN,
    ("post", "api/v1/me/second-factor/confirm"): SIGNED_IN,
    ("post", "api/v1/me/second-factor/recovery-codes"): SIGNED_IN,
    ("post", "api/v1/me/second-factor/remove"): SIGNED_IN,
    ("post", "api/v1/users/<uuid:pk>/reset-second-factor"): ORGANIZATION,
    ("get", "api/v1/access/explain"): SIGNED_IN,
    ("post", "api/v1/access/preview"): ORGANIZATION,
    ("delete", "api/v1/access/preview"): SIGNED_IN,
    ("get", "api/v1/organizations"): WITH_A_ROLE,
    ("post", "api/v1/organizations"): PROVIDER,
    ("get", "api/v1/organizations/<uuid:pk>"): WITH_A_ROLE,
    ("patch", "api/v1/organizations/<uuid:pk>"): ORGANIZATION,
    ("delete", "api/v1/organizations/<uuid:pk>"): PROVIDER,
    ("get", "api/v1/organizations/<uuid:pk>/timeline"): WITH_A_ROLE,
    **{("post", f"api/v1/organizations/<uuid:pk>/{verb}"): PROVIDER for verb in ("disable", "enable", "undo-deletion")},
    **{(method, "api/v1/organizations/<uuid:pk>/logo"): ORGANIZATION for method in ("put", "delete")},
    ("get", "api/v1/vdcs/<uuid:pk>/timeline"): WITH_A_ROLE,
    ("get", "api/v1/vms/<uuid:pk>/timeline"): WITH_A_ROLE,
    ("get", "api/v1/users"): ORGANIZATION,
    ("post", "api/v1/users"): ORGANIZATION,
    ("get", "api/v1/users/<uuid:pk>"): ORGANIZATION,
    ("patch", "api/v1/users/<uuid:pk>"): ORGANIZATION,
    ("delete", "api/v1/users/<uuid:pk>"): ORGANIZATION,
    ("post", "api/v1/users/<uuid:pk>/reset-password"): ORGANIZATION,
    ("post", "api/v1/users/<uuid:pk>/disable"): ORGANIZATION,
    ("post", "api/v1/users/<uuid:pk>/enable"): ORGANIZATION,
    **{("get", f"api/v1/{name}"): VDC_ADMIN for name in ("roles", "groups", "memberships", "role-bindings")},
    **{("post", f"api/v1/{name}"): ORGANIZATION for name in ("roles", "groups", "memberships")},
    **{("get", f"api/v1/{name}/<uuid:pk>"): VDC_ADMIN for name in ("roles", "groups")},
    **{("patch", f"api/v1/{name}/<uuid:pk>"): ORGANIZATION for name in ("roles", "groups")},
    **{("delete", f"api/v1/{name}/<uuid:pk>"): ORGANIZATION for name in ("roles", "groups", "memberships")},
    ("post", "api/v1/role-bindings"): ORGANIZATION,
    **{(method, "api/v1/role-bindings/<uuid:pk>"): ORGANIZATION for method in ("patch", "delete")},
    **{(method, "api/v1/tokens"): SIGNED_IN for method in ("get", "post")},
    **{(method, "api/v1/tokens/<uuid:pk>"): SIGNED_IN for method in ("get", "delete")},
    **{(method, "api/v1/service-accounts"): ORGANIZATION for method in ("get", "post")},
    **{(method, "api/v1/service-accounts/<uuid:pk>"): ORGANIZATION for method in ("get", "patch", "delete")},
    ("post", "api/v1/service-accounts/<uuid:pk>/disable"): ORGANIZATION,
    ("post", "api/v1/service-accounts/<uuid:pk>/enable"): ORGANIZATION,
    **{(method, "api/v1/identity-providers"): ORGANIZATION for method in ("get", "post")},
    **{(method, "api/v1/identity-providers/<uuid:pk>"): ORGANIZATION for method in ("get", "patch", "delete")},
    ("post", "api/v1/identity-providers/<uuid:pk>/try"): ORGANIZATION,
    ("post", "api/v1/identity-providers/<uuid:pk>/check"): ORGANIZATION,
    ("get", "api/v1/me/identities"): SIGNED_IN,
    ("delete", "api/v1/me/identities/<uuid:pk>"): SIGNED_IN,
    ("get", "api/v1/audit-entries"): ORGANIZATION,
    ("get", "api/v1/audit-entries/export"): ORGANIZATION,
    ("get", "api/v1/organizations/<uuid:pk>/audit-retention"): ORGANIZATION,
    ("put", "api/v1/organizations/<uuid:pk>/audit-retention"): ORGANIZATION,  # then the provider's people only
    ("get", "api/v1/organizations/<uuid:pk>/quota"): WITH_A_ROLE,
    ("put", "api/v1/organizations/<uuid:pk>/quota"): ORGANIZATION,  # the service then lets the provider's people only
    ("get", "api/v1/vdcs"): WITH_A_ROLE,
    ("post", "api/v1/vdcs"): ORGANIZATION,
    ("get", "api/v1/vdcs/<uuid:pk>"): WITH_A_ROLE,
    ("patch", "api/v1/vdcs/<uuid:pk>"): ORGANIZATION,
    ("delete", "api/v1/vdcs/<uuid:pk>"): ORGANIZATION,
    ("get", "api/v1/catalogs"): WITH_A_ROLE,
    ("get", "api/v1/catalogs/<uuid:pk>"): WITH_A_ROLE,
    ("get", "api/v1/catalog-items"): WITH_A_ROLE,
    ("get", "api/v1/catalog-items/<uuid:pk>"): WITH_A_ROLE,
    ("get", "api/v1/vms"): WITH_A_ROLE,
    ("post", "api/v1/vms"): WITH_A_ROLE,
    ("get", "api/v1/vms/<uuid:pk>"): WITH_A_ROLE,
    ("patch", "api/v1/vms/<uuid:pk>"): WITH_A_ROLE,
    ("delete", "api/v1/vms/<uuid:pk>"): WITH_A_ROLE,
    ("post", "api/v1/vms/<uuid:pk>/start"): WITH_A_ROLE,
    ("post", "api/v1/vms/<uuid:pk>/stop"): WITH_A_ROLE,
    ("post", "api/v1/vms/<uuid:pk>/orders"): VDC_ADMIN,
    ("get", "api/v1/drift"): WITH_A_ROLE,
    ("get", "api/v1/vms/<uuid:pk>/drift"): WITH_A_ROLE,
    ("get", "api/v1/vdcs/<uuid:pk>/drift"): WITH_A_ROLE,
    ("get", "api/v1/vdcs/<uuid:pk>/kubectl"): WITH_A_ROLE,
    ("get", "api/v1/organizations/<uuid:pk>/drift"): WITH_A_ROLE,
    ("get", "api/v1/vdcs/<uuid:pk>/unmanaged"): VDC_ADMIN,
    ("post", "api/v1/vdcs/<uuid:pk>/unmanaged/<str:name>/adopt"): ORGANIZATION,
    ("post", "api/v1/clusters/<uuid:pk>/audit"): PROVIDER,
    ("get", "api/v1/orphans"): PROVIDER,
    ("get", "api/v1/orphans/<uuid:pk>"): PROVIDER,
    ("delete", "api/v1/orphans/<uuid:pk>"): PROVIDER,
    ("get", "api/v1/clusters"): PROVIDER,
    ("get", "api/v1/clusters/<uuid:pk>"): PROVIDER,
    ("post", "api/v1/clusters"): PROVIDER,
    ("patch", "api/v1/clusters/<uuid:pk>"): PROVIDER,
    ("delete", "api/v1/clusters/<uuid:pk>"): PROVIDER,
    ("put", "api/v1/clusters/<uuid:pk>/access"): PROVIDER,
    ("post", "api/v1/clusters/<uuid:pk>/check"): PROVIDER,
    ("post", "api/v1/clusters/<uuid:pk>/drain"): PROVIDER,
    ("post", "api/v1/clusters/<uuid:pk>/forget"): PROVIDER,
}
# What a plain view answers to; API views say it themselves.
PAGE_METHODS = {
    **dict.fromkeys(FORMS, ("get", "post")),
    "sign-in/": ("get", "post"),
    "sign-in/code/": ("get", "post"),
    "sign-in/forgotten/": ("get", "post"),
    "invitation/": ("get", "post"),
    "invitation/join/": ("post",),
    "invitations/<uuid:pk>/resend/": ("post",),
    "sign-in/reset/": ("get", "post"),
    "sign-in/<str:organization>/": ("get", "post"),
    "oidc/back-channel-logout/<str:slug>/": ("post",),
    "account/identities/link/<str:slug>/": ("post",),
    "account/identities/<uuid:pk>/remove/": ("post",),
    "account/sessions/end-others/": ("post",),
    "account/sessions/<uuid:pk>/end/": ("post",),
    "sign-out/": ("post",),
    "preview/end/": ("post",),
    "preferences/": ("post",),
    "views/": ("post",),
    "views/<uuid:pk>/remove/": ("post",),
    "vms/bulk/": ("post",),
    "vms/new/": ("get", "post"),
    "vdcs/<uuid:pk>/unmanaged/<str:name>/adopt/": ("get", "post"),
    "clusters/<uuid:pk>/audit/": ("post",),
    "orphans/<uuid:pk>/delete/": ("post",),
    "vms/<uuid:pk>/power/": ("post",),
    "vms/<uuid:pk>/orders/": ("post",),
    "vms/<uuid:pk>/delete/": ("get", "post"),
}
PAGES_OF_FEW = {
    ("get", "account/identities/"): SIGNED_IN,
    ("post", "account/identities/link/<str:slug>/"): SIGNED_IN,
    ("post", "account/identities/<uuid:pk>/remove/"): SIGNED_IN,
    ("get", "account/sessions/"): SIGNED_IN,
    ("post", "account/sessions/end-others/"): SIGNED_IN,
    ("post", "account/sessions/<uuid:pk>/end/"): SIGNED_IN,
    ("get", "account/tokens/"): SIGNED_IN,
    ("get", "orgs/<uuid:pk>/roles/"): VDC_ADMIN,
    ("get", "orgs/<uuid:pk>/groups/"): VDC_ADMIN,
    ("post", "preview/end/"): SIGNED_IN,
    ("get", "orgs/<uuid:pk>/service-accounts/"): ORGANIZATION,
    ("post", "invitation/join/"): SIGNED_IN,
    ("get", "orgs/<uuid:pk>/invitations/"): ORGANIZATION,
    ("post", "invitations/<uuid:pk>/resend/"): ORGANIZATION,
    ("post", "vms/<uuid:pk>/orders/"): VDC_ADMIN,
    ("get", "vdcs/<uuid:pk>/unmanaged/"): VDC_ADMIN,
    ("get", "vdcs/<uuid:pk>/unmanaged/<str:name>/adopt/"): ORGANIZATION,
    ("post", "vdcs/<uuid:pk>/unmanaged/<str:name>/adopt/"): ORGANIZATION,
} | {(method, route): cells for route, cells in FORMS.items() for method in ("get", "post")}
# Who signed in gets past which page's door. Most pages need a role; one's own things do not.
OWN = ("", "search/", "place/", "settings/", "views/", "views/<uuid:pk>/remove/",
       "activity/", "activity/<uuid:pk>/", "activity/export/")  # fmt: skip
PAGES = {
    row: {"people": ORGANIZATION, "identity-providers": ORGANIZATION, "clusters": PROVIDER, "orphans": PROVIDER}.get(
        row[1].split("/")[0], SIGNED_IN if row[1] in OWN else WITH_A_ROLE
    )
    for row, cells in TABLE.items()
    if cells == NO_COOKIE and row[1] not in ("sign-out/", "sign-in/code/")
} | PAGES_OF_FEW


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern, route)
        else:
            yield route, pattern


ADMIN_ROUTES = sorted({route for route, _ in _patterns(get_resolver()) if route.startswith(ADMIN)})


def routes() -> set[tuple[str, str]]:
    """All but the admin's: they are one family, walked below."""
    found = set()
    for route, pattern in _patterns(get_resolver()):
        if route.startswith(ADMIN):
            continue
        view = pattern.callback
        owner = getattr(view, "cls", None)
        if hasattr(view, "actions"):
            methods = [method for method in view.actions if method != "head"]
        elif owner is not None and hasattr(owner, "rights"):
            methods = list(owner.rights)
        else:
            methods = list(PAGE_METHODS.get(route, ("get",)))
        found |= {(method, route) for method in methods}
    return found


def test_every_route_is_in_the_table():
    assert routes() == set(TABLE)


def admin_addresses() -> Iterator[tuple[str, str]]:
    """(route, an address of it), with ids that there are not."""
    for route in ADMIN_ROUTES:
        address = route.replace("<path:object_id>", str(uuid4())).replace("<str:verb>", "reconcile")
        yield route, "/" + address.replace("^(?P<app_label>", "").split("|")[0].rstrip("/") + "/"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", PEOPLE)
def test_the_admins_routes_are_there_for_system_admins_only(cluster, method, name):
    """404 for everybody else, as if there were nothing; who is not signed in is sent to the sign-in page."""
    client = signed_in(name) if name else Client()
    for route, address in admin_addresses():
        answer = getattr(client, method)(address)
        if name is None:
            assert outcome(answer) == "in", address
        elif name != "root":
            assert answer.status_code == 404, (name, address)
        else:
            there = (404,) if "object_id" in route or "verb" in route else (200, 302)
            assert answer.status_code in (*there, 405), (address, answer.content[:300])


def test_the_admins_routes_declare_their_right():
    for route, pattern in _patterns(get_resolver()):
        if route.startswith(ADMIN):
            view: Any = pattern.callback
            assert view.right is Right.ADMIN_OPEN, route
            assert view.hidden is True, route


def outcome(answer) -> str:
    if answer.status_code in (401, 403):
        return str(answer.status_code)
    if answer.status_code == 302 and "/sign-in" in answer.headers["Location"]:
        return "in"
    assert answer.status_code < 500, answer.content
    return "ok"


def address_of(route: str) -> str:
    """With ids and names that there are not."""
    for part in ("<uuid:pk>", "<uuid:rule>"):
        route = route.replace(part, str(uuid4()))
    for part in ("<str:name>", "<str:slug>", "<str:organization>"):
        route = route.replace(part, "web")
    return f"/{route}"


@pytest.mark.parametrize(("method", "route"), sorted(TABLE))
def test_who_gets_past_the_door(api, cluster, method, route):
    address = "/" + route.replace("<uuid:pk>", str(uuid4())).replace("<str:name>", "web").replace("<slug:name>", "acme")
    address = address_of(route)
    for name, wanted in zip(PEOPLE, TABLE[method, route].split(), strict=True):
        client = Client(raise_request_exception=False)
        body = {} if method == "get" else {"data": {}, "content_type": "application/json"}
        answer = getattr(client, method)(address, headers=api(name).headers, **body)
        assert outcome(answer) == wanted, (name, answer.status_code, answer.content[:300])


@pytest.mark.parametrize(("method", "route"), sorted(PAGES))
def test_who_gets_past_the_door_of_a_page(cluster, method, route):
    address = "/" + route.replace("<uuid:pk>", str(uuid4())).replace("<str:name>", "web").replace("<slug:name>", "acme")
    address = address_of(route)
    for name, wanted in zip(PEOPLE[:5], PAGES[method, route].split()[:5], strict=True):
        answer = getattr(signed_in(name), method)(address)
        assert outcome(answer) == wanted, (name, answer.status_code, answer.content[:300])


def signed_in(name: str) -> Client:
    """With the portal's cookie, as the sign-in page leaves it."""
    client = Client(raise_request_exception=False)
    session = client.session
    session[COOKIE_KEY] = str(session_of(make_person(name)).pk)
    for vdc in Vdc.objects.filter(quota=None):  # the cast's are rows only; pages show what is left
        QuotaScope.objects.create(organization=vdc.organization, vdc=vdc)
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client
