"""The edge: whatever comes in, an answer that explains itself goes out."""

import json
import logging
from typing import IO, cast

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory
from drf_spectacular.generators import SchemaGenerator

from core.api.base import ApiView
from core.errors import QuotaExceeded, Shortage
from ovim_site.errors import problem, response
from ovim_site.middleware import address_of
from tenancy import selectors
from tests.cast import PASSWORD, make_person

pytestmark = pytest.mark.django_db
JSON = "application/json"


def send(api, body, kind=JSON, path="/api/v1/organizations", **headers):
    root = api("root")
    client = Client(raise_request_exception=False)
    return client.generic("POST", path, body, content_type=kind, headers=root.headers | headers)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", JSON, 400),
        (b'{"name": "a",}', JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"name": "\\ud800"}', JSON, 400),
        (b"[]", JSON, 400),
        (b'"text"', JSON, 400),
        (b"null", JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b'{"name": 1e400}', JSON, 400),
        (b'{"name": 123456789012345678901234567890}', JSON, 422),
        (b"", JSON, 422),
        (b"name=a", "application/x-www-form-urlencoded", 415),
        (b"name: a", "application/yaml", 415),
        (b'"' + b"x" * (20 << 20) + b'"', JSON, 413),
        (b" " * ((1 << 20) - 4) + b"{", JSON, 400),
    ],
)
def test_a_body_that_is_none_is_a_problem(api, body, kind, status):
    answer = send(api, body, kind)
    assert answer.status_code == status, answer.content[:300]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"]


def test_a_body_without_a_length_is_cut_off_too(api):
    class Endless:
        taken = 0

        def read(self, size=-1):
            self.taken += size
            return b"x" * size

    stream = Endless()
    request = RequestFactory().post("/api/v1/auth/login", content_type=JSON)
    from core.api.json import LARGEST, Parser
    from core.errors import TooLarge

    with pytest.raises(TooLarge):
        Parser().parse(cast(IO[bytes], stream))
    assert stream.taken == LARGEST + 1
    assert request is not None


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1/", "/api/v1/nope", "/api/v2/organizations", "/api/v1/organizations/"]
)
def test_unknown_routes_are_problems(api, path):
    answer = api("root").get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("method", ["put", "delete", "options", "patch", "trace"])
def test_methods_that_a_route_lacks_are_405(api, method):
    answer = getattr(Client(), method)("/api/v1/organizations", headers=api("root").headers)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_head_is_get_without_a_body(api):
    answer = Client().head("/api/v1/me", headers=api("root").headers)
    assert answer.status_code == 200


def test_an_answer_in_html_is_not_to_be_had(api):
    answer = api("root").get("organizations", Accept="text/html")
    assert (answer.status_code, answer.headers["Content-Type"]) == (406, "application/problem+json")


@pytest.mark.parametrize("path", ["organizations", "me", "users", "role-bindings", "audit-entries"])
def test_without_a_token_it_is_401(api, path):
    answer = api(None).get(path)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_fault_of_ours_tells_nothing_but_its_request_id(api, monkeypatch, caplog):
    monkeypatch.setattr(selectors, "summary", lambda actor: 1 / 0)
    with caplog.at_level(logging.ERROR):
        answer = api("root").get("me")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert b"ZeroDivision" not in answer.content
    assert "ZeroDivision" in caplog.text


def test_a_database_that_is_away_is_503(api, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError("connection refused")

    root = api("root")
    monkeypatch.setattr(selectors, "seen_in_session", away)
    answer = root.get("me")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_a_database_that_is_away_is_a_page_for_people(monkeypatch):
    client = Client(raise_request_exception=False)
    make_person("alice")
    client.post("/sign-in/", {"username": "alice", "password": PASSWORD})

    def away(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr(selectors, "seen_in_session", away)
    answer = client.get("/sign-in/")
    assert answer.status_code == 503
    assert b"database" in answer.content


def test_the_request_id_is_taken_over_if_it_is_sane(api):
    assert api("root").get("me", X_Request_Id="trace-12345678").headers["X-Request-Id"] == "trace-12345678"
    assert api("root").get("me", X_Request_Id="<script>").headers["X-Request-Id"] != "<script>"


def test_a_quota_refusal_tells_all_there_is():
    short = Shortage("memory_mib", "vdc", "dev", limit=1024, used=1000, requested=512, ledger="allocated")
    body = problem(QuotaExceeded([short], who_can_change="An admin of acme"), "r")
    assert (body["status"], body["code"], body["errors"][0]["field"]) == (422, "quota_exceeded", "memory_mib")
    assert (body["quota"][0]["short_by"], body["quota"][0]["fits"]) == (488, 24)
    assert json.dumps(body)


def test_a_view_without_rights_does_not_load():
    with pytest.raises(TypeError, match="declares no rights"):
        type("Forgotten", (ApiView,), {"__module__": "vms.api.views"})


def test_addresses_behind_proxies(settings):
    def seen(hops, header):
        settings.OVIM_TRUSTED_PROXIES = hops
        return address_of(RequestFactory().get("/", headers={"X-Forwarded-For": header}))

    assert seen(0, "6.6.6.6") == "127.0.0.1"
    assert seen(1, "6.6.6.6, 10.0.0.9") == "10.0.0.9"
    assert seen(2, "6.6.6.6, 10.0.0.9, 10.0.0.1") == "10.0.0.9"
    assert seen(2, "10.0.0.9") == "127.0.0.1"


def test_pages_send_the_unknown_to_the_sign_in_page():
    answer = Client().post("/sign-out/?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in/?next=/sign-out/%3Fx%3D1")
    partial = Client().post("/sign-out/", headers={"HX-Request": "true"})
    assert partial.headers["HX-Redirect"].startswith("/sign-in/?next=")


def test_unknown_pages_are_pages():
    answer = Client().get("/nope")
    assert answer.status_code == 404
    assert b"nothing at this address" in answer.content


def test_a_fault_in_a_page_is_a_page():
    answer = response(RequestFactory().get("/x"), RuntimeError("secret"))
    assert answer.status_code == 500
    assert b"secret" not in answer.content


def test_signing_in_and_out_by_page():
    make_person("alice")
    client = Client()
    assert client.get("/sign-in/").status_code == 200
    wrong = client.post("/sign-in/", {"username": "alice", "password": "no"})
    assert wrong.status_code == 422
    assert b"wrong" in wrong.content
    answer = client.post("/sign-in/", {"username": "alice", "password": PASSWORD, "next": "/vms"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/vms")
    copy = client.cookies["sessionid"].value
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    thief = Client()
    thief.cookies["sessionid"] = copy
    assert "next=" in thief.post("/sign-out/").headers["Location"]


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(target):
    make_person("alice")
    answer = Client().post("/sign-in/", {"username": "alice", "password": PASSWORD, "next": target})
    assert answer.headers["Location"] == "/"


def test_a_form_without_its_token_is_refused():
    answer = Client(enforce_csrf_checks=True).post("/sign-in/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 403


def test_a_cookie_is_no_way_into_the_api():
    make_person("alice")
    client = Client()
    client.post("/sign-in/", {"username": "alice", "password": PASSWORD})
    assert client.get("/api/v1/me").status_code == 401


def test_alive_and_ready():
    assert Client().get("/healthz").content == b"ok\n"
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "parts": {"database": "ok", "redis": "ok"}})


def test_ready_without_redis(settings, monkeypatch):
    from ovim_site import health

    settings.OVIM_REDIS_URL = "redis://127.0.0.1:1/0"
    health._client.cache_clear()
    answer = Client().get("/readyz")
    health._client.cache_clear()
    assert answer.status_code == 200
    assert "can't be reached" in answer.json()["parts"]["redis"]


def test_metrics_tell_of_requests_and_queue(api, cluster):
    api("root").post("organizations", {"name": "initech", "display_name": "Initech"})
    text = Client().get("/metrics").content.decode()
    assert 'ovim_http_request_seconds_count{method="POST",route="api/v1/organizations",status="201"}' in text
    assert 'ovim_work_items{cluster="local",state="due"} 2.0' in text  # itself, and its people's access
    assert 'ovim_rows_unsettled{kind="clusters.placement"} 1.0' in text
    assert 'ovim_work_oldest_due_seconds{cluster="local"}' in text


def test_the_openapi_document_has_no_warning(capsys):
    document = SchemaGenerator().get_schema(request=None, public=True)
    assert capsys.readouterr().err == ""
    assert document["openapi"] == "3.1.0"
    create = document["paths"]["/api/v1/organizations"]["post"]
    assert create["security"] == [{"session": []}]
    assert {"200", "201", "400", "401", "409", "422", "429", "default"} <= set(create["responses"])
    assert "security" not in document["paths"]["/api/v1/auth/login"]["post"]
    listing = document["paths"]["/api/v1/organizations"]["get"]
    assert [p["name"] for p in listing["parameters"]] == ["after", "enabled", "fields", "limit", "name", "q"]


def test_the_openapi_document_is_public():
    answer = Client().get("/api/schema/")
    assert answer.status_code == 200
    assert b"openapi: 3.1.0" in answer.content
