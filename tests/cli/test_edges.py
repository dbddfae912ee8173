"""What goes wrong between here and there, and how the command behaves among other programs."""

import http.client
import http.server
import json
import os
import pty
import re
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from typing import ClassVar

import pytest

from tenancy.api import tokens
from tenancy.models import Organization, Session
from tests.cast import actor_of, make_organization, make_person
from tests.cli.conftest import ROOT
from tests.domain import a_vdc, a_vm
from vms.models import VirtualMachine


@contextmanager
def answering(status, body=b"", context=None, date="", **headers):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp=None):
            return date or super().date_time_string(timestamp)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_server_that_is_not_there(ovim):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = ovim.login(f"http://127.0.0.1:{port}")
    assert done.returncode == 7
    assert done.stderr == f"Error: http://127.0.0.1:{port} can't be reached: Connection refused.\n"
    assert ovim.login("http://no-such-host.invalid").returncode == 7


def test_a_server_that_is_something_else(ovim):
    with answering(200, b"<html>") as server:
        done = ovim.login(server)
    assert done.returncode == 7
    assert "not OVIM's API" in done.stderr


def test_a_redirect_is_told_not_followed(ovim):
    with answering(301, Location="https://elsewhere.example/") as server:
        done = ovim.login(server)
    assert done.returncode == 7
    assert "sends us on to https://elsewhere.example/" in done.stderr


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (412, "stale", 5),
        (429, "throttled", 1),
        (503, "unavailable", 7),
        (500, "internal_error", 1),
        (403, "forbidden", 4),
    ],
)
def test_exit_codes_of_refusals(ovim, status, code, exit_code):
    problem = {"status": status, "code": code, "detail": "Because.", "request_id": "r-1", "retry_after": 7}
    with answering(status, json.dumps(problem).encode()) as server:
        done = ovim.login(server)
    assert done.returncode == exit_code
    assert "Because." in done.stderr
    assert "Request id: r-1" in done.stderr


def test_a_certificate_nobody_vouches_for(ovim, tmp_path):
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=ovim", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with answering(401, b'{"code": "unauthenticated", "detail": "No."}', context) as server:
        done = ovim.login(server)
        assert done.returncode == 7
        assert "is not trusted: self-signed certificate" in done.stderr
        assert "--ca-file" in done.stderr
        trusted = ovim.login(server, "bob", "--ca-file", str(pem))
        assert ovim("config", "set-context", "x", "--server", server, "--insecure-skip-tls-verify").returncode == 0
        blind = ovim.login(server, "bob", "--insecure-skip-tls-verify")
    assert (trusted.returncode, trusted.stderr) == (4, "Error: No.\n")
    assert blind.returncode == 4
    assert "Warning: the certificate of" in blind.stderr, "never silently"


def test_a_server_that_asks_for_ones_own_certificate(ovim, tmp_path):
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=ovim", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    context.load_verify_locations(pem)
    context.verify_mode = ssl.CERT_REQUIRED
    with answering(401, b'{"code": "unauthenticated", "detail": "No."}', context) as server:
        assert ovim.login(server, "bob", "--ca-file", str(pem)).returncode == 7
        own = ("--client-certificate", str(pem), "--client-key", str(key))
        shown = ovim.login(server, "bob", "--ca-file", str(pem), *own)
    assert (shown.returncode, shown.stderr) == (4, "Error: No.\n")


class _Forgetful(http.server.BaseHTTPRequestHandler):
    """Hands requests on to `target`; the first answer to a POST of a VM is lost on the way back."""

    protocol_version = "HTTP/1.1"
    target = ""
    keys: ClassVar[list[str]] = []

    def do_GET(self):
        self._hand_on(b"")

    def do_POST(self):
        self._hand_on(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _hand_on(self, body):
        behind = http.client.HTTPConnection(self.target)
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length")
        }
        behind.request(self.command, self.path, body or None, headers)
        answer = behind.getresponse()
        data = answer.read()
        if self.command == "POST":
            self.keys.append(self.headers["Idempotency-Key"])
            if len(self.keys) == 1:
                self.close_connection = True
                return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def test_an_answer_that_is_lost_does_not_make_it_twice(bob, server, item):
    _Forgetful.target = server.removeprefix("http://")
    _Forgetful.keys.clear()
    between = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Forgetful)
    threading.Thread(target=between.serve_forever, args=(0.05,), daemon=True).start()
    token = tokens.issue(Session.objects.get())["access"]
    bob.env = {"OVIM_SERVER": f"http://127.0.0.1:{between.server_address[1]}", "OVIM_TOKEN": token}
    done = bob("create", "vm", "web", "--vdc", "dev", "--item", "jammy", "-o", "name")
    between.shutdown()
    between.server_close()
    assert (done.returncode, done.stdout) == (0, "dev/web\n"), done.stderr
    assert len(_Forgetful.keys) == 2
    assert len(set(_Forgetful.keys)) == 1
    assert VirtualMachine.objects.count() == 1


class _Overloaded(_Forgetful):
    """Refuses the first requests of each method, then hands on. `told`: (method, key) of all there were."""

    status = 429
    words = b'{"status": 429, "code": "throttled", "detail": "Too many requests."}'
    wait = "1"
    times = 2
    told: ClassVar[list[tuple[str, str]]] = []

    def do_DELETE(self):
        self._hand_on(b"")

    def _hand_on(self, body):
        key = self.headers.get("Idempotency-Key", "")
        self.told.append((self.command, key))
        if sum(method == self.command for method, _ in self.told) > self.times:
            _Forgetful.keys.append("so that none is lost")
            super()._hand_on(body)
            return
        self.send_response(self.status)
        self.send_header("Retry-After", self.wait)
        self.send_header("Content-Length", str(len(self.words)))
        self.end_headers()
        self.wfile.write(self.words)


@contextmanager
def overloaded(bob, server, **how):
    handler = type("Overloaded", (_Overloaded,), {"told": [], **how})
    _Forgetful.target = server.removeprefix("http://")
    between = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=between.serve_forever, args=(0.05,), daemon=True).start()
    token = tokens.issue(Session.objects.order_by("pk")[0])["access"]
    bob.env = {"OVIM_SERVER": f"http://127.0.0.1:{between.server_address[1]}", "OVIM_TOKEN": token}
    yield handler
    between.shutdown()
    between.server_close()


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ((429, _Overloaded.words), "Too many requests. Trying again in 1 s (1 of 3)."),
        ((503, b"<html>upstream is away"), "The server answered with status 503. Trying again in 1 s (2 of 3)."),
    ],
)
def test_a_server_that_asks_for_patience_gets_it(bob, server, item, refusal, said):
    with overloaded(bob, server, status=refusal[0], words=refusal[1]) as handler:
        made = bob("create", "vm", "web", "--vdc", "dev", "--item", "jammy", "-o", "name")
    assert (made.returncode, made.stdout) == (0, "dev/web\n"), made.stderr
    assert said in made.stderr
    posts = [key for method, key in handler.told if method == "POST"]
    assert (len(posts), len(set(posts))) == (3, 1), "the same key each time"
    assert VirtualMachine.objects.count() == 1


def test_patience_has_an_end_and_can_be_switched_off(bob, server, item):
    with overloaded(bob, server, times=99) as handler:
        refused = bob("get", "vms")
        assert (refused.returncode, len(handler.told)) == (1, 4)
        assert "(3 of 3)" in refused.stderr
        handler.told.clear()
        refused = bob("--no-retry", "get", "vms")
        assert (refused.returncode, len(handler.told)) == (1, 1)
        assert "Trying again" not in refused.stderr
    with overloaded(bob, server, wait="3600") as handler:
        assert bob("get", "vms").returncode == 1
        assert len(handler.told) == 1, "an hour is not waited for"


def test_what_could_be_done_twice_is_not_sent_twice(bob, server, vdc, item):
    a_vm(vdc, "web", power_state="off", actor=actor_of(make_person("bob")))
    with overloaded(bob, server, status=503, words=b"{}") as handler:
        assert bob("delete", "vm/web", "--yes", "-A").returncode == 7
    assert [method for method, _ in handler.told if method == "DELETE"] == ["DELETE"]


@pytest.mark.parametrize("address", ["ftp://x", "https://", "https://u:p@x", "https://x:port", "https://x/?q"])
def test_addresses_that_are_none(ovim, address):
    assert ovim.login(address).returncode == 2


def test_a_reader_that_goes_away(root):
    vdc = a_vdc()
    for number in range(3):
        a_vm(vdc, f"vm-{number}")
    read, write = os.pipe()
    os.close(read)
    with root.start("get", "vms", "-o", "yaml", stdout=write) as process:
        os.close(write)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (141, "")


def test_an_output_that_is_full(root):
    with open("/dev/full", "w") as full, root.start("get", "organizations", "-o", "json", stdout=full) as process:
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, "Error: The output can't be written: No space left on device.\n")


def test_a_character_the_terminal_does_not_have(root):
    make_organization("acme")
    Organization.objects.update(display_name="Größe ∞")
    root.env = {"PYTHONIOENCODING": "ascii"}
    assert "Gr\\xf6\\xdfe \\u221e" in root.ok("get", "organizations")


def test_progress_on_a_terminal(root):
    a_vm(a_vdc(), "web")
    master, terminal = pty.openpty()
    with root.start("wait", "vm", "web", "--for", "phase=Running", "--timeout", "1", stderr=terminal) as process:
        out, _ = process.communicate(timeout=30)
    told = os.read(master, 65536).decode()
    os.close(terminal)
    os.close(master)
    assert process.returncode == 8
    assert out == ""
    assert "\r\x1b[Kweb: Pending (0 s)" in told


def test_the_commands_page_has_every_exit_code_and_verb(ovim):
    page = (ROOT / "docs" / "cli.md").read_text()
    for code in range(10):
        assert f"| {code} |" in page
    listed = ovim.ok("--help").partition("Commands:")[2]
    for verb in re.findall(r"^  (\S+)", listed, re.MULTILINE):
        assert f"ovim {verb}" in page
