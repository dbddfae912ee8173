"""What may come in that nobody means well with."""

import gzip
import json
import logging
import time
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from core.models import AuditEntry
from core.outlet import syslog
from core.told import FIELDS, told
from ovim_site.logs import JsonFormatter
from tenancy.models import RoleBinding, User
from tests.cast import PASSWORD, make_person
from tests.domain import a_vdc, an_item
from tests.test_permissions import _patterns

pytestmark = pytest.mark.django_db
JSON = "application/json"


# --- YAML -----------------------------------------------------------------------------------------------------------


def laughs(line: str) -> str:
    """Nine levels, each of ten times the one before."""
    text = "#cloud-config\na0: &a0 {x: 1}\n"
    for level in range(1, 10):
        text += f"a{level}: &a{level} {line.format(', '.join([f'*a{level - 1}'] * 10))}\n"
    return text


BOMBS = {
    "aliases": laughs("[{}]"),
    "merged": laughs("{{<<: [{}]}}"),
    "nested": "#cloud-config\na: " + "[" * 30_000 + "]" * 30_000,
    "itself": "#cloud-config\na: &a [*a]\n",
    "a_tag": "#cloud-config\na: !!python/object/apply:os.system [id]\n",
}


@pytest.mark.parametrize("kind", [name for name in BOMBS if name != "a_tag"])
def test_user_data_that_explodes_is_refused_and_costs_next_to_nothing(api, cluster, kind):
    vdc, item = a_vdc(limits={"cpu": 8, "memory_mib": 8192, "disk_gib": 100, "vms": 5}), an_item()
    body = {"vdc": str(vdc.pk), "name": "web", "catalog_item": str(item.pk), "user_data": BOMBS[kind]}
    client = api("bob")
    started = time.perf_counter()
    answer = client.post("vms", body)
    took = time.perf_counter() - started
    assert answer.status_code == 422, answer.content[:300]
    assert [(error["field"], error["rule"]) for error in answer.json()["errors"]] == [("user_data", "cloud_init")]
    assert took < 5, took  # what it stands for would take hours


def test_anchors_as_people_use_them_are_fine(api, cluster):
    vdc, item = a_vdc(limits={"cpu": 8, "memory_mib": 8192, "disk_gib": 100, "vms": 5}), an_item()
    text = "#cloud-config\nbase: &base {shell: /bin/bash}\nusers:\n- {name: a, <<: *base}\n- {name: b, <<: *base}\n"
    body = {"vdc": str(vdc.pk), "name": "web", "catalog_item": str(item.pk), "user_data": text}
    assert api("bob").post("vms", body).status_code == 201


@pytest.mark.parametrize("kind", list(BOMBS))
def test_a_kubeconfig_that_explodes_or_runs_something_is_refused(api, kind):
    body = {"name": "east", "display_name": "East", "kubeconfig": BOMBS[kind]}
    started = time.perf_counter()
    answer = api("root").post("clusters", body)
    assert answer.status_code == 422, answer.content[:300]
    assert answer.json()["errors"][0]["field"] == "kubeconfig"
    assert time.perf_counter() - started < 5


# --- bodies ---------------------------------------------------------------------------------------------------------


def test_a_packed_body_is_not_unpacked(api):
    packed = gzip.compress(b"0" * 100_000_000)
    root = api("root")
    answer = Client(raise_request_exception=False).generic(
        "POST", "/api/v1/organizations", packed, content_type=JSON, headers=root.headers | {"Content-Encoding": "gzip"}
    )
    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (400, "json")


XML = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


@pytest.mark.parametrize("kind", ["application/xml", "text/xml", "application/zip", "multipart/form-data; boundary=x"])
def test_the_api_reads_nothing_but_json(api, kind):
    answer = Client(raise_request_exception=False).generic(
        "POST", "/api/v1/organizations", XML, content_type=kind, headers=api("root").headers
    )
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "body", [b'{"a":' * 50_000, b"[" * 500_000, b'{"display_name":' + b"[" * 1000 + b"]" * 1000 + b"}"]
)
def test_deep_json_is_a_refusal(api, body):
    answer = Client(raise_request_exception=False).generic(
        "POST", "/api/v1/organizations", body, content_type=JSON, headers=api("root").headers
    )
    assert answer.status_code in (400, 422), answer.content[:200]


def test_a_form_with_too_many_fields_is_a_refusal():
    answer = Client(raise_request_exception=False).post("/sign-in/", {f"f{number}": "" for number in range(2000)})
    assert answer.status_code in (400, 413)


# --- mass assignment ------------------------------------------------------------------------------------------------


def writes() -> list[tuple[str, str]]:
    """(method, route) of everything in the API that takes a body and stands under no row."""
    found = []
    for route, pattern in _patterns(get_resolver()):
        view: Any = pattern.callback
        owner = getattr(view, "cls", None)
        if owner is None or "<" in route or not getattr(owner, "shapes", None):
            continue
        actions = getattr(view, "actions", None) or {method: method for method in owner.rights}
        found += [(method, route) for method, action in actions.items() if action in owner.shapes]
    return sorted(set(found))


def test_there_are_writes():
    assert len(writes()) > 15


@pytest.mark.parametrize(("method", "route"), writes())
@pytest.mark.parametrize("field", ["is_superuser", "id", "pk", "organization_id", "generation", "phase"])
def test_a_field_that_is_not_of_the_shape_is_refused_by_name(api, cluster, method, route, field):
    """Nothing is quietly dropped, and nothing is taken over into a row because it has a column of that name."""
    answer = api("root").request(method, f"/{route}", {field: "1"})
    assert answer.status_code == 422, answer.content[:300]
    assert (field, "unknown_field") in [(error["field"], error["rule"]) for error in answer.json()["errors"]]


def test_nobody_makes_himself_more_by_a_field(api, acme):
    alice = make_person("alice")
    changes: tuple[dict[str, Any], ...] = (
        {"is_superuser": True},
        {"is_service": True},
        {"bindings": []},
        {"must_change_password": False},
    )
    for more in changes:
        assert api("alice").patch(f"users/{alice.pk}", more).status_code == 422
    assert RoleBinding.objects.filter(user=alice).count() == 1


# --- logs -----------------------------------------------------------------------------------------------------------

FORGED = 'x\n{"level":"info","message":"root signed in"}\r\n\u2028\x1b[2Jy'


def test_nothing_that_comes_in_begins_a_line_of_the_log(caplog):
    client = Client(raise_request_exception=False)
    with caplog.at_level(logging.INFO):
        client.get("/%0a{%22level%22:%22info%22}%0d%0a", headers={"X-Request-Id": "a\nb-------", "User-Agent": FORGED})
        client.post("/sign-in/", {"username": FORGED, "password": "wrong"}, headers={"User-Agent": FORGED})
        client.post("/api/v1/auth/login", {"username": FORGED, "password": "wrong"}, content_type=JSON)
        client.get("/api/v1/me", headers={"Authorization": f"Bearer {FORGED}"})
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert len(lines) >= 4
    for line in lines:
        assert len(line.splitlines()) == 1 or "\u2028" in line
        assert not {"\n", "\r", "\x1b"} & set(line)
        assert json.loads(line)["level"]


def test_nothing_that_comes_in_begins_a_line_of_the_audit_stream():
    Client().post("/api/v1/auth/login", {"username": FORGED, "password": "wrong"}, content_type=JSON)
    for entry in AuditEntry.objects.values(*FIELDS):
        line = syslog.message(told(entry, 1, "0"))
        assert not {b"\n"[0], b"\r"[0], 0x1B} & set(line)


@pytest.mark.parametrize("given", ["a\nb-------", "<script>x", "x" * 65, "short", "ünicode-id"])
def test_a_request_id_that_is_none_is_replaced(given):
    answer = Client().get("/healthz", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] != given
    assert len(answer.headers["X-Request-Id"]) == 32


# --- who is there ---------------------------------------------------------------------------------------------------


def test_the_sign_in_page_tells_neither_by_text_nor_by_time_who_is_there(settings):
    """As over the API (tests/tenancy/test_sign_in.py), with the real work of the real hash."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    for name in ("alice", "bob"):
        person = make_person(name)
        person.set_password(PASSWORD)
        person.save()
    User.objects.filter(username="bob").update(is_active=False)

    def tried(username: str) -> tuple[float, int, bytes]:
        started = time.perf_counter()
        answer = Client().post("/sign-in/", {"username": username, "password": "wrong", "next": "/"})
        page = answer.content.replace(username.encode(), b"WHO")
        page = page[page.index(b"</head>") :]
        return (
            time.perf_counter() - started,
            answer.status_code,
            b" ".join(part for part in page.split() if b"csrf" not in part and b'value="' not in part),
        )

    tried("alice")
    known, unknown, disabled = ([tried(name) for _ in range(3)] for name in ("alice", "nope1", "bob"))
    assert {status for _, status, _ in known + unknown + disabled} == {422}
    assert len({page for _, _, page in known + unknown + disabled}) == 1
    fastest = [min(seconds for seconds, _, _ in some) for some in (known, unknown, disabled)]
    assert max(fastest) / min(fastest) < 2.5, fastest
