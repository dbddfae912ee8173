"""The stream to a receiver outside, real sockets and certificates: signed, in order, again after failures, never lost."""

import hashlib
import hmac
import json
import os
import socket
import ssl
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from clusters.sandbox.tls import certificates
from core import retention, sealing, tasks
from core.models import AuditCheckpoint, AuditEntry, AuditSeal, AuditStream
from core.outlet import stream, syslog, target, webhook
from ovim_site.environment import SettingError, read

SECRET = "s" * 32


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """CA file, and a server's TLS context for 127.0.0.1."""
    ca, certificate, key = certificates(tmp_path_factory.mktemp("tls"), "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return str(ca), context


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent and answers each POST with the next of `answers`, then 204. `slow`: seconds before that."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.answers: list[int] = []
        self.bodies: list[tuple[str, bytes, int]] = []
        self.slow = 0.0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}/hook"

    @property
    def numbers(self) -> list[int]:
        """Of the entries in the batches that were taken."""
        return [e["number"] for _, body, status in self.bodies if status < 300 for e in json.loads(body)["entries"]]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.slow)
        status = self.server.answers.pop(0) if self.server.answers else 204
        self.server.bodies.append((self.headers["OVIM-Signature"], body, status))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def receiver(certified):
    ca, context = certified
    server = Receiver(context)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with streaming(server.url, ca):
        yield server
    server.shutdown()
    server.server_close()


def streaming(url: str, ca: str = "", *, private: bool = True):
    return override_settings(
        OVIM_AUDIT_STREAM=url,
        OVIM_AUDIT_STREAM_SECRET=SECRET,
        OVIM_AUDIT_STREAM_CA=ca,
        OVIM_AUDIT_STREAM_PRIVATE=private,
    )


def at_once() -> None:
    """As if the pause were over."""
    AuditStream.objects.update(next_at=timezone.now() - timedelta(seconds=1))


def tell_alone() -> None:
    tasks.tell()
    connection.close()


def row() -> AuditStream:
    return AuditStream.objects.get()


def test_a_webhook_gets_each_sealed_entry_signed_with_its_place_in_the_chain(acme, write, receiver):
    written = write(acme, 3)
    tasks.tell()
    assert receiver.bodies == [], "what is not sealed is not told"
    sealing.seal_all()
    tasks.tell()
    ((signature, body, _),) = receiver.bodies
    entries = json.loads(body)["entries"]
    assert [entry["id"] for entry in entries] == [str(entry.pk) for entry in written]
    assert [entry["digest"] for entry in entries] == list(
        AuditSeal.objects.values_list("digest", flat=True).order_by("id")
    )
    at, mac = (part.partition("=")[2] for part in signature.split(","))
    assert abs(int(at) - time.time()) < 30
    assert mac == hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    tasks.tell()
    assert len(receiver.bodies) == 1, "nothing is sent again that was taken"


@pytest.mark.parametrize("status", [500, 429, 404, 302])
def test_what_is_not_taken_is_sent_again_after_a_pause_that_grows(acme, write, receiver, status):
    write(acme, 2)
    sealing.seal_all()
    receiver.answers = [status] * 3
    pauses = []
    for _ in range(3):
        tasks.tell()
        pauses.append((row().next_at - timezone.now()).total_seconds())
        before = len(receiver.bodies)
        tasks.tell()
        assert len(receiver.bodies) == before, "not before the pause is over"
        at_once()
    assert 0 < pauses[0] < pauses[1] < pauses[2]
    assert (row().failures, row().sent_to) == (3, 0)
    assert row().error
    tasks.tell()
    assert receiver.numbers == [1, 2]
    assert (row().failures, row().error) == (0, "")


def test_it_goes_on_where_it_was_when_the_receiver_returns(acme, write, receiver, certified):
    write(acme, 2)
    sealing.seal_all()
    tasks.tell()
    write(acme, 2)
    sealing.seal_all()
    port = receiver.server_address[1]
    receiver.shutdown()
    receiver.server_close()
    tasks.tell()
    assert "ConnectError" in row().error
    again = Receiver.__new__(Receiver)
    ThreadingHTTPServer.__init__(again, ("127.0.0.1", port), _Handler)
    again.socket = certified[1].wrap_socket(again.socket, server_side=True)
    again.answers, again.bodies, again.slow = [], [], 0.0
    threading.Thread(target=again.serve_forever, args=(0.01,), daemon=True).start()
    at_once()
    tasks.tell()
    assert again.numbers == [3, 4]
    again.shutdown()
    again.server_close()


def test_one_that_is_slow_keeps_nobody_longer_than_its_limit_and_no_writer_at_all(acme, write, receiver, monkeypatch):
    monkeypatch.setattr(webhook, "TOTAL_SECONDS", 1.0)
    receiver.slow = 3.0
    write(acme)
    sealing.seal_all()
    thread = threading.Thread(target=tell_alone)
    started = time.monotonic()
    thread.start()
    while not AuditStream.objects.exists():
        time.sleep(0.01)
    write(acme, 5)
    assert sealing.seal_all() == 5
    assert time.monotonic() - started < 1.0, "writing and sealing wait for no receiver"
    thread.join()
    assert time.monotonic() - started < 2.5
    assert "no answer within" in row().error
    receiver.slow = 0.0
    for _ in range(3):
        at_once()
        tasks.tell()
    assert set(receiver.numbers) == {1, 2, 3, 4, 5, 6}


def test_two_processes_do_not_send_at_the_same_time(acme, write, receiver):
    receiver.slow = 0.5
    write(acme, 3)
    sealing.seal_all()
    threads = [threading.Thread(target=tell_alone) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert receiver.numbers == [1, 2, 3]


def test_who_dies_before_the_cursor_moved_has_it_sent_again(acme, write, receiver, monkeypatch):
    write(acme, 2)
    sealing.seal_all()

    def killed(row: AuditStream) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stream, "_taken", killed)
    with pytest.raises(KeyboardInterrupt):
        tasks.tell()
    monkeypatch.undo()
    tasks.tell()
    assert receiver.numbers == [1, 2], "the lease is not over"
    at_once()
    tasks.tell()
    assert receiver.numbers == [1, 2, 1, 2], "at least once"


def test_many_go_in_batches_in_the_order_of_their_seals(acme, write, receiver, monkeypatch):
    monkeypatch.setattr(stream, "BATCH", 4)
    write(acme, 10)
    sealing.seal_all()
    tasks.tell()
    assert receiver.numbers == list(range(1, 11))
    assert len(receiver.bodies) == 3


def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(acme, write, receiver):
    write(acme)
    sealing.seal_all()
    with streaming(receiver.url):
        tasks.tell()
    assert "certificate" in row().error.lower()
    assert receiver.bodies == []


@pytest.mark.parametrize("url", ["https://127.0.0.1:{port}/", "https://localhost:{port}/", "syslog+tcp://127.0.0.1:{port}",
                                 "syslog+udp://127.0.0.1:{port}"])  # fmt: skip
def test_a_private_address_takes_the_operators_word(acme, write, receiver, certified, url):
    write(acme)
    sealing.seal_all()
    with streaming(url.format(port=receiver.server_address[1]), certified[0], private=False):
        tasks.tell()
    assert "Blocked" in row().error
    assert receiver.bodies == []


# --- syslog ---------------------------------------------------------------------------------------------------------


class Lines(threading.Thread):
    """A syslog server over TCP or TLS: the messages of all connections, by their lengths."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.context, self.data, self.ended = context, b"", threading.Event()
        self.start()

    def run(self) -> None:
        plain, _ = self.listening.accept()
        with self.context.wrap_socket(plain, server_side=True) if self.context else plain as peer:
            while chunk := peer.recv(4096):
                self.data += chunk
        self.ended.set()

    @property
    def messages(self) -> list[bytes]:
        assert self.ended.wait(10)
        found, rest = [], self.data
        while rest:
            length, _, rest = rest.partition(b" ")
            found.append(rest[: int(length)])
            rest = rest[int(length) :]
        return found


def parsed(line: bytes) -> tuple[str, dict[str, Any]]:
    head, _, body = line.partition(b"\xef\xbb\xbf")
    return head.decode(), json.loads(body)


@pytest.mark.parametrize("scheme", ["syslog+tcp", "syslog+tls"])
def test_syslog_over_tcp_and_tls(acme, write, certified, scheme):
    ca, context = certified
    first, _ = write(acme, 2)
    AuditEntry.objects.create(actor_name="bob", action="vm.edit", outcome="refused", organization_id=acme.pk)
    sealing.seal_all()
    server = Lines(context if scheme.endswith("tls") else None)
    with streaming(f"{scheme}://127.0.0.1:{server.listening.getsockname()[1]}", ca):
        tasks.tell()
    heads, entries = zip(*map(parsed, server.messages), strict=True)
    assert [entry["number"] for entry in entries] == [1, 2, 3]
    assert entries[0]["id"] == str(first.pk)
    assert [head[:6] for head in heads] == ["<110>1", "<110>1", "<108>1"]
    assert heads[0].split(" ")[1:] == [entries[0]["at"], "testserver", "ovim", "-", "audit", "-", ""]
    assert row().failures == 0


def test_syslog_over_udp_one_a_datagram_and_what_is_too_long_says_so(acme, write):
    write(acme)
    AuditEntry.objects.create(actor_name="bob", action="big", organization_id=acme.pk, after={"x": "y" * 70_000})
    sealing.seal_all()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        with streaming(f"syslog+udp://127.0.0.1:{server.getsockname()[1]}"):
            tasks.tell()
        found = [parsed(server.recv(65_535))[1] for _ in range(2)]
    assert found[0]["after"] == {"n": 0}
    assert (found[1]["after"], found[1]["shortened"]) == (None, True)


def test_a_syslog_server_that_is_away_is_told_when_it_returns(acme, write, certified):
    write(acme)
    sealing.seal_all()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with streaming(f"syslog+tcp://127.0.0.1:{port}"):
        tasks.tell()
        assert row().failures == 1
        server = Lines.__new__(Lines)
        threading.Thread.__init__(server, daemon=True)
        server.listening = socket.create_server(("127.0.0.1", port))
        server.context, server.data, server.ended = None, b"", threading.Event()
        server.start()
        at_once()
        tasks.tell()
        assert len(server.messages) == 1


def test_the_command_sends_and_tells_how_far_it_is(acme, write, receiver):
    write(acme, 3)
    sealing.seal_all()
    said = StringIO()
    receiver.answers = [503]
    with pytest.raises(CommandError, match="1 failures: it answers 503"):
        call_command("audit", "stream", stdout=said)
    assert "3 to go, last taken never" in said.getvalue()
    at_once()
    call_command("audit", "stream", stdout=said)
    for _ in range(2):
        at_once()
        call_command("audit", "stream", stdout=said)
    assert "0 to go" in said.getvalue()
    assert receiver.numbers == [1, 2, 3]
    with streaming(""), pytest.raises(CommandError, match="is not set"):
        call_command("audit", "stream")


# --- around it ------------------------------------------------------------------------------------------------------


def test_retention_keeps_what_the_receiver_has_yet_to_be_told(acme, write, as_owner, receiver):
    as_owner(
        "UPDATE core_auditentry SET at = at - interval '100 days' WHERE id = ANY(%s)", [e.pk for e in write(acme, 3)]
    )
    sealing.seal_all()
    assert retention.expire(acme.pk, timezone.now() - timedelta(days=50)) == 0
    tasks.tell()
    assert retention.expire(acme.pk, timezone.now() - timedelta(days=50)) == 3
    assert AuditCheckpoint.objects.get().number == 3


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("OVIM_AUDIT_STREAM", "http://siem.example.org/", "must begin with https"),
        ("OVIM_AUDIT_STREAM", "https://siem.example.org/", "OVIM_AUDIT_STREAM_SECRET is not set"),
        ("OVIM_AUDIT_STREAM", "syslog+tls://me:pw@siem.example.org", "neither user nor password"),
        ("OVIM_AUDIT_STREAM_PRIVATE", "yes", "must be true or false"),
    ],
)
def test_a_wrong_setting_stops_the_start(setting, value, sentence):
    with pytest.raises(SettingError, match=sentence):
        read(dict(os.environ) | {setting: value})


def test_the_secret_is_in_no_log():
    assert SECRET not in repr(target.Target("https://siem.example.org/", SECRET))
    assert syslog.message({"at": "t", "outcome": "done"}).startswith(b"<110>1 t testserver ovim - audit - ")
