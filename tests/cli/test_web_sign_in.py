"""`ovim login --web`: the command waits while somebody confirms it in a browser. The real command, the real pages."""

import json
import re
import socket
import threading

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application

from tenancy.device_rows import DeviceSignIn
from tenancy.models import Session
from tests.cast import make_person
from tests.cli.conftest import _Quiet
from tests.portal import browser, text


def begun(ovim, server, *more):
    """The command as it waits: the process, and the code that it shows."""
    process = ovim.start("login", "--server", server, "--web", *more)
    assert process.stderr is not None
    said = process.stderr.readline() + process.stderr.readline()
    code = re.search(r"shows this code: (\w{4}-\w{4})", said)
    assert code is not None, said
    assert f"/device/?code={code[1]}" in said
    return process, code[1]


def ended(process):
    out, err = process.communicate(timeout=40)
    assert "Traceback" not in err
    assert out == ""
    return process.returncode, err


@pytest.fixture
def host():
    return re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname()).strip("-._")[:64]


def test_waits_until_it_is_confirmed_and_is_signed_in(ovim, server, vdc, host):
    process, code = begun(ovim, server)
    bob = browser("bob")
    assert f"ovim on {host} wants to sign in as you" in text(bob.post("/device/", {"code": code}))
    assert bob.post("/device/", {"code": code, "do": "confirm"}).status_code == 302
    status, said = ended(process)
    assert status == 0, said
    assert f"Signed in to {server} as bob." in said
    assert ovim.ok("get", "vdcs", "-o", "name") == "acme/dev\n"
    assert f"ovim on {host}" in text(bob.get("/account/sessions/"))
    assert json.loads((ovim.files / "contexts.json").read_text())["contexts"][server[7:]]["username"] == "bob"
    ovim.ok("logout")
    assert not Session.objects.filter(user_agent__endswith=f"on {host}", revoked_at=None).exists()


def test_says_that_it_was_denied(ovim, server, vdc):
    process, code = begun(ovim, server)
    browser("bob").post("/device/", {"code": code, "do": "deny"})
    status, said = ended(process)
    assert status == 4
    assert "It was denied in the browser" in said
    assert "ovim login --web" in said
    assert not ovim.files.joinpath("contexts.json").exists()


def test_a_server_that_is_away_for_a_moment_is_waited_for(ovim, live_db):
    """It is restarted while somebody looks for his phone."""
    make_person("bob")
    first = _serve(0)
    port = first.server_address[1]
    process, code = begun(ovim, f"http://127.0.0.1:{port}")
    browser("bob").post("/device/", {"code": code, "do": "confirm"})
    first.shutdown()
    first.server_close()
    threading.Event().wait(6)  # the first question is after five seconds
    assert process.poll() is None
    second = _serve(port)
    try:
        status, said = ended(process)
    finally:
        second.shutdown()
        second.server_close()
    assert status == 0, said
    assert DeviceSignIn.objects.get().used_at is not None


def _serve(port):
    server = ThreadedWSGIServer(("127.0.0.1", port), _Quiet)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.mark.parametrize("more", [("--username", "bob"), ("--password-stdin",), ("--code", "123456")])
def test_nothing_of_a_password_goes_with_it(ovim, more):
    assert "--web" in ovim.refused(2, "login", "--server", "http://127.0.0.1:1", "--web", *more)


def test_a_wrong_password_says_that_there_is_another_way(ovim, server, vdc):
    done = ovim("login", "--server", server, "--username", "bob", "--password-stdin", text="wrong\n")
    assert "ovim login --web" in done.stderr
