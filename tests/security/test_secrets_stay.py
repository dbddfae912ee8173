"""Secrets that can be recognised are put into every place for secrets; then everything is read, and none comes out."""

import logging
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver

from clusters import secrets as credentials
from clusters.models import Cluster
from core import sealed
from core.models import AuditEntry
from ovim_site.logs import JsonFormatter
from tenancy.models import SecondFactor, SigningKey
from tenancy.oidc import library
from tenancy.oidc.rows import IdentityProvider
from tenancy.services import codes
from tests.admin.scene import one_of_everything
from tests.cast import PASSWORD, make_person
from tests.portal import browser
from tests.test_permissions import PAGES, TABLE, _patterns

pytestmark = pytest.mark.django_db
MARK = "s3cr3t-canary"


def test_no_secret_comes_out_again(api, cluster, caplog):
    vm = one_of_everything()
    Cluster.objects.update(credential=credentials.encrypt(f"{MARK}-credential"))
    SecondFactor.objects.update(secret=sealed.seal("JBSWY3DPEHPK3PXP", codes.PURPOSE), recovery=[f"{MARK}-recovery"])
    IdentityProvider.objects.update(client_secret=sealed.seal(f"{MARK}-client", library.PURPOSE))
    SigningKey.objects.all().delete()  # the scene's is none
    root, ids = (
        api("root"),
        {"clusters": cluster.pk, "vms": vm.pk, "vdcs": vm.vdc_id, "organizations": vm.organization_id},
    )
    ids |= {"orgs": vm.organization_id, "users": make_person("bob").pk, "people": make_person("bob").pk}
    ids |= {"identity-providers": IdentityProvider.objects.get().pk}
    with caplog.at_level(logging.DEBUG):
        said = [*written(root), *read(root, ids)]
    secrets = [
        MARK,
        "JBSWY3DPEHPK3PXP",
        PASSWORD,
        root.headers["Authorization"][7:],
        settings.SECRET_KEY,
        settings.OVIM_JWT_KEY,
    ]
    told = {
        "an answer": b"\n".join(said).decode(errors="replace"),
        "the log": "\n".join(JsonFormatter().format(record) for record in caplog.records if record.name != "asyncio"),
        "the audit log": str(list(AuditEntry.objects.values())),
    }
    assert len(said) > 100
    for where, text in told.items():
        assert [secret for secret in secrets if secret in text] == [], where


def written(root: Any) -> list[bytes]:
    """Secrets as they are sent in, well-formed or not: what is answered, logged and audited has none of them."""
    page, found = Client(raise_request_exception=False), []
    for path, body in (
        ("auth/login", {"username": "bob", "password": f"{MARK}-password"}),
        ("users", {"username": "eve", "password": f"{MARK}-password", "nonsense": 1}),
        ("users", {"username": "eve", "password": f"{MARK}-a-long-password", "email": "eve@example.org"}),
        ("me/password", {"current_password": f"{MARK}-current", "new_password": f"{MARK}-new-password"}),
        ("auth/refresh", {"refresh": f"{MARK}-refresh"}),
        ("clusters", {"name": "x", "server": "https://127.0.0.1:1", "token": f"{MARK}-token"}),
    ):
        found.append(root.post(path, body).content)
    answer = page.post("/sign-in/", {"username": "bob", "password": f"{MARK}-password"})
    found += [answer.content, page.get("/api/v1/me", headers={"Authorization": f"Bearer ovim_pat_{MARK}"}).content]
    return found


def read(root: Any, ids: dict[str, Any]) -> list[bytes]:
    """Every page and every resource that a system admin can read, with rows there are, and the whole admin."""
    client, found = browser("root"), []
    for route in sorted({route for method, route in TABLE if method == "get"} | {route for _, route in PAGES}):
        first = route.removeprefix("api/v1/").split("/")[0]
        if "<str" in route or ("<uuid:pk>" in route and first not in ids):
            continue
        address = "/" + route.replace("<uuid:pk>", str(ids.get(first)))
        answer: Any = root.get(address) if route.startswith("api/") else client.get(address)
        found.append(b"".join(answer.streaming_content) if answer.streaming else answer.content)
    for route, _ in _patterns(get_resolver()):
        if route.startswith("admin/") and route.count("/") == 3 and "<" not in route:
            listed = client.get(f"/{route}")
            found.append(listed.content)
    return found
