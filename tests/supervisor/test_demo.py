"""The demo's scenario against a web server that plays the API's part: what is said, and when it gives up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ovim_site.supervisor import demo
from ovim_site.supervisor.demo import Api, DemoError, Scenario, SignIns, provision

PEOPLE = SignIns("dana", [{"username": "dana", "password": "secret"}])
VM = {"id": "1", "name": "demo-1", "cpu": 1, "memory_mib": 512, "disks": [{"size_gib": 2}], "power_state": "on"}


class FakeApi(ThreadingHTTPServer):
    """Answers GET of the machine with one state after the other; the last one stays."""

    def __init__(self, *states: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.states = [{**VM, "conditions": [], "ip_addresses": [], **state} for state in states]
        self.existing: list[dict[str, Any]] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.asked: list[str] = []
        self.posted: dict[str, Any] = {}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if path == "/api/v1/auth/login":
            return 200, {"access": "token"}
        if path.startswith("/api/v1/vms?name="):
            return 200, {"items": [vm for vm in self.existing if vm["name"] == path.rpartition("=")[2]]}
        if method == "POST" and path == "/api/v1/vms":
            self.posted = body
            return self.refusal or (201, self.states[0] | {"name": body["name"]})
        if path.startswith("/api/v1/vms/"):
            return 200, self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return 200, {"items": [{"id": f"first of {path}", "name": path.rpartition("/")[2]}]}


class Handler(BaseHTTPRequestHandler):
    server: FakeApi

    def do_GET(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        status, answer = self.server.answer(self.command, self.path, body)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    do_POST = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Any]:
    running: list[FakeApi] = []

    def start(*states: dict[str, Any]) -> FakeApi:
        server = FakeApi(*states)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(demo, "FAILURE_SECONDS", 0.1)


def base(server: FakeApi) -> str:
    return f"http://127.0.0.1:{server.server_port}"


RUNNING = {"phase": "Running", "ip_addresses": ["10.0.0.7"]}


def test_each_step_is_told_as_it_happens(serve: Any) -> None:
    server = serve(
        {"phase": "Pending"},
        {"phase": "Provisioning", "progress": "N/A"},
        {"phase": "Provisioning", "progress": "37.21%"},
        {"phase": "Starting", "progress": "100.0%"},
        {"phase": "Running"},
        RUNNING,
    )
    said: list[str] = []
    provision(Api(base(server)), PEOPLE, said.append)
    assert said[0] == "signed in as dana"
    assert said[1].startswith("demo-1 from catalog-items in vdcs: accepted in ")
    assert said[2:] == [
        "quota claimed: 1 vCPU, 512 MiB memory, 2 GiB disk",
        "demo-1: pending",
        "demo-1: provisioning",
        "demo-1: disk importing 37 %",
        "demo-1: starting",
        "demo-1: running",
        "demo-1: address 10.0.0.7",
    ]


def test_a_machine_that_runs_already_is_taken(serve: Any) -> None:
    server = serve(RUNNING)
    server.existing = [server.states[0]]
    provision(Api(base(server)), PEOPLE, lambda _: None)
    assert not server.posted


def test_beside_one_that_was_switched_off_another_is_made(serve: Any) -> None:
    server = serve(RUNNING)
    server.existing = [{**VM, "phase": "Stopped", "power_state": "off"}]
    provision(Api(base(server)), PEOPLE, lambda _: None)
    assert server.posted["name"] == "demo-2"


def test_a_failure_that_mends_itself_is_waited_for(serve: Any) -> None:
    provision(Api(base(serve({"phase": "Failed"}, {"phase": "Failed"}, RUNNING))), PEOPLE, lambda _: None)


def test_a_failure_that_lasts_is_told_with_its_cause(serve: Any) -> None:
    cause = {"type": "ImportFailed", "status": "True", "reason": "NotFound", "message": "404 from the image's server"}
    server = serve({"phase": "Provisioning", "conditions": [cause]})
    with pytest.raises(DemoError, match="demo-1 failed: NotFound: 404 from the image's server"):
        provision(Api(base(server)), PEOPLE, lambda _: None)


def test_a_refusal_is_told_in_the_apis_words(serve: Any, tmp_path: Path) -> None:
    server = serve(RUNNING)
    server.refusal = (422, {"title": "Quota exceeded", "detail": "512 MiB over the limit of dev"})
    (tmp_path / "sign-ins.json").write_text(json.dumps({"demo_user": "dana", "sign_ins": PEOPLE.people}))
    scenario = Scenario(base(server), tmp_path / "sign-ins.json", lambda _: None)
    scenario.start()
    scenario._thread.join(10)
    assert scenario.finished()
    assert scenario.failure == "POST /vms answered 422: 512 MiB over the limit of dev"


def test_missing_sign_ins_are_told(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="has no sign-ins"):
        SignIns.read(tmp_path / "none.json")
