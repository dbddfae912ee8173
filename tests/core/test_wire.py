"""What goes with every answer: compression, permission for foreign pages, the request's id."""

import gzip
import json
import logging

import brotli
import pytest
from django.test import Client

from core.models import AuditEntry
from ovim_site.environment import SettingError, read
from tests.cast import PASSWORD, make_person
from tests.domain import a_vdc, a_vm

pytestmark = pytest.mark.django_db
CONSOLE = "https://console.example.org"


@pytest.fixture
def long_list(api, cluster):
    vdc = a_vdc()
    for number in range(3):
        a_vm(vdc, f"vm-{number}")
    return api("root")


@pytest.mark.parametrize(
    ("accepts", "coding", "unpack"),
    [
        ("gzip, deflate, br", "br", brotli.decompress),
        ("gzip", "gzip", gzip.decompress),
        ("br;q=0, gzip;q=0.5", "gzip", gzip.decompress),
        ("", None, bytes),
        ("identity", None, bytes),
        ("br;q=0.0,gzip;q=0", None, bytes),
    ],
)
def test_json_is_compressed_as_the_client_takes_it(long_list, accepts, coding, unpack):
    plain = long_list.get("vms")
    packed = long_list.get("vms", Accept_Encoding=accepts)
    assert packed.headers.get("Content-Encoding") == coding
    assert unpack(packed.content) == plain.content
    assert "Accept-Encoding" in packed.headers["Vary"]
    if coding:
        assert len(packed.content) == int(packed.headers["Content-Length"])
        assert len(packed.content) * 3 < len(plain.content)


def test_an_etag_is_the_same_however_it_is_sent(long_list):
    pk = long_list.get("vms").json()["items"][0]["id"]
    assert long_list.patch(f"vms/{pk}", {"description": "long " * 150}).status_code == 200
    packed = long_list.get(f"vms/{pk}", Accept_Encoding="br")
    assert packed.headers["Content-Encoding"] == "br"
    tag = packed.headers["ETag"]
    assert long_list.patch(f"vms/{pk}", {"description": "x"}, If_Match=tag, Accept_Encoding="br").status_code == 200


def test_problems_and_pages_are_compressed_and_short_answers_are_not(long_list):
    page = Client().get("/sign-in/", headers={"Accept-Encoding": "br, gzip"})
    assert page.headers["Content-Encoding"] == "gzip"  # pages are padded against BREACH, which only gzip can
    sizes = {len(Client().get("/sign-in/", headers={"Accept-Encoding": "gzip"}).content) for _ in range(12)}
    assert len(sizes) > 3
    assert "Content-Encoding" not in Client().get("/healthz", headers={"Accept-Encoding": "gzip"}).headers


def test_tokens_are_never_compressed(api):
    make_person("alice")
    answer = api(None).post("auth/login", {"username": "alice", "password": PASSWORD}, Accept_Encoding="gzip, br")
    assert answer.status_code == 200
    assert len(answer.content) > 1024
    assert "Content-Encoding" not in answer.headers


def preflight(origin, **headers):
    asked = {"Origin": origin, "Access-Control-Request-Method": "PATCH"} | headers
    return Client().options("/api/v1/vms", headers=asked)


@pytest.fixture
def console(settings):
    settings.CORS_ALLOWED_ORIGINS = [CONSOLE]


def test_a_page_of_a_known_origin_may_call(api, console):
    answer = preflight(CONSOLE, **{"Access-Control-Request-Headers": "authorization,if-match,idempotency-key"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == CONSOLE
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"]
    assert all(name in allowed for name in ("authorization", "if-match", "idempotency-key"))
    real = api("root").get("me", Origin=CONSOLE)
    assert real.headers["Access-Control-Allow-Origin"] == CONSOLE
    assert "ETag" in real.headers["Access-Control-Expose-Headers"]
    assert "origin" in real.headers["Vary"].lower()
    assert "Access-Control-Allow-Credentials" not in real.headers
    refused = api(None).get("me", Origin=CONSOLE)  # a page must be able to read why
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, CONSOLE)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", CONSOLE + ".evil.example", "null", "http://console.example.org"]
)
def test_other_origins_may_not(api, console, origin):
    assert "Access-Control-Allow-Origin" not in preflight(origin).headers
    assert "Access-Control-Allow-Origin" not in api("root").get("me", Origin=origin).headers


def test_pages_are_nobody_elses(console):
    assert "Access-Control-Allow-Origin" not in Client().get("/sign-in/", headers={"Origin": CONSOLE}).headers


def test_without_the_setting_there_is_no_foreign_origin(api):
    assert "Access-Control-Allow-Origin" not in api("root").get("me", Origin=CONSOLE).headers


@pytest.mark.parametrize(
    "value", ["*", "https://*.example.org/", "console.example.org", "https://a/b", "null", "ftp://a"]
)
def test_an_origin_that_is_none_stops_the_start(value):
    import os

    with pytest.raises(SettingError, match="OVIM_CORS_ORIGINS"):
        read(dict(os.environ) | {"OVIM_CORS_ORIGINS": value})


def test_a_request_id_is_in_the_answer_the_log_the_audit_entry_and_the_problem(api, cluster, caplog):
    with caplog.at_level(logging.INFO, logger="ovim.request"):
        made = api("root").post(
            "organizations", {"name": "initech", "display_name": "I"}, X_Request_Id="trace-12345678"
        )
        refused = api("root").post("organizations", {}, X_Request_Id="trace-87654321")
    assert made.headers["X-Request-Id"] == "trace-12345678"
    assert AuditEntry.objects.get(action="organization.create").request_id == "trace-12345678"
    assert [record.request_id for record in caplog.records if record.name == "ovim.request"] == [
        "trace-12345678", "trace-87654321",
    ]  # fmt: skip
    assert refused.json()["request_id"] == refused.headers["X-Request-Id"] == "trace-87654321"
    assert json.dumps(refused.json())
