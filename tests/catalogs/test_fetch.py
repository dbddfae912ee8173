"""OVIM's own look at an image, from a real server: little is read, nothing takes long, and no private address is reached."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from catalogs import fetch
from catalogs.fetch import Unreachable, look
from catalogs.magic import HEAD_BYTES, Verdict

HOSTS = ("127.0.0.1",)
QCOW2 = b"QFI\xfb" + bytes(600)


class Host:
    """A web server with answers by path; `seen` has the paths and ranges that were asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.seen: list[tuple[str, str]] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.seen.append((self.path, self.headers.get("Range", "")))
                host.answers[self.path](self)

            def log_message(self, *_: Any) -> None:
                """Keeps test output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def file(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = answer
        return self.url + path


@pytest.fixture
def host() -> Iterator[Host]:
    running = Host()
    yield running
    running.server.shutdown()


def test_it_asks_for_the_first_bytes_and_judges_them(host):
    assert look(host.file("/a.qcow2", QCOW2, 206), HOSTS).verdict is Verdict.OK
    assert host.seen == [("/a.qcow2", f"bytes=0-{HEAD_BYTES - 1}")]
    found = look(host.file("/b.qcow2", b"<!doctype html><p>x", Content_Type="text/html"), HOSTS)
    assert (found.verdict, found.what) == (Verdict.NOT_AN_IMAGE, "an HTML page")


@pytest.mark.parametrize(
    "answer", [{"body": b""}, {"body": b"", "status": 416, "Content_Range": "bytes */0"}], ids=["200", "416"]
)
def test_an_empty_file_is_none_however_the_server_says_so(host, answer):
    assert look(host.file("/empty.img", **answer), HOSTS).what == "an empty file"


def test_of_a_server_that_knows_no_ranges_no_more_is_read_than_a_head(host):
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        try:
            while sent < 512 * 1024**2:
                handler.wfile.write(QCOW2.ljust(65536, b"\0"))
                sent += 65536
        except OSError:
            return

    host.answers["/endless"] = endless
    assert look(f"{host.url}/endless", HOSTS).verdict is Verdict.OK
    assert sent < 64 * 1024**2  # what fits into the sockets' buffers


def test_a_server_that_drips_keeps_nobody_longer_than_the_limit(host, monkeypatch):
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.7)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(100):
                handler.wfile.write(b"\0")
                time.sleep(0.1)
        except OSError:
            return

    host.answers["/drip"] = drip
    started = time.monotonic()
    with pytest.raises(Unreachable, match="no answer within"):
        look(f"{host.url}/drip", HOSTS)
    assert time.monotonic() - started < 3


def test_what_does_not_answer_with_a_file_may_do_so_later(host):
    with pytest.raises(Unreachable, match="404"):
        look(host.file("/gone", b"<html>no such file", 404, Content_Type="text/html"), HOSTS)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable):
            look(f"http://127.0.0.1:{closed.getsockname()[1]}/a", HOSTS)


def test_a_redirect_is_followed_where_the_address_itself_would_be_allowed(host):
    host.file("/image", QCOW2)
    assert look(host.file("/old", b"", 302, Location="/image"), HOSTS).verdict is Verdict.OK
    for forbidden in (f"http://localhost:{host.port}/image", "http://169.254.169.254/latest/meta-data"):
        found = look(host.file("/away", b"", 302, Location=forbidden), HOSTS)
        assert found.verdict is Verdict.UNKNOWN
        assert "may come from 127.0.0.1 only" in found.what
    assert host.seen[-1][0] == "/away"


def test_a_public_name_that_leads_to_a_private_address_is_not_followed_there(host, monkeypatch):
    host.file("/image", QCOW2)

    def resolve(name: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", host.port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    found = look(f"http://images.example.org:{host.port}/image")
    assert found.verdict is Verdict.UNKNOWN
    assert "127.0.0.1" in found.what
    assert host.seen == []
    assert look(f"http://images.example.org:{host.port}/image", ("images.example.org",)).verdict is Verdict.OK
