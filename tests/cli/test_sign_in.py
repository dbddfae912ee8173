"""Signing in and out, contexts, and tokens that are renewed without anybody noticing."""

import json
import os
import pty
import stat
from concurrent.futures import ThreadPoolExecutor

from django.utils import timezone

from tenancy.models import Session
from tests.cast import PASSWORD, make_person


def tokens(ovim):
    (path,) = (ovim.files / "tokens").glob("*.json")
    return path, json.loads(path.read_text())


def expire(ovim, **more):
    path, pair = tokens(ovim)
    path.write_text(json.dumps(pair | {"expires_at": 0} | more))
    return pair


def test_signs_in_and_keeps_its_files_to_itself(ovim, server, vdc):
    done = ovim.login(server)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"Signed in to {server} as bob." in done.stderr
    for path in ovim.files.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    _, pair = tokens(ovim)
    everything = done.stdout + done.stderr + (ovim.files / "contexts.json").read_text()
    for secret in (PASSWORD, pair["access"], pair["refresh"]):
        assert secret not in everything


def test_no_option_takes_a_password(ovim):
    assert "--password " not in ovim.ok("login", "--help")
    assert "No such option" in ovim.refused(2, "login", "--server", "https://x.example", "--password", "p")


def test_a_wrong_password(ovim, server, vdc):
    done = ovim("login", "--server", server, "--username", "bob", "--password-stdin", text="wrong\n")
    assert done.returncode == 4
    assert "The user name or the password is wrong" in done.stderr
    assert not ovim.files.joinpath("contexts.json").exists()


def test_asks_for_what_is_missing_only_on_a_terminal(ovim, server):
    assert "--username" in ovim.refused(2, "login", "--server", server)
    assert "--password-stdin" in ovim.refused(2, "login", "--server", server, "--username", "bob")
    assert "Which server?" in ovim.refused(2, "login")


def test_the_prompt_does_not_show_the_password(ovim, server, vdc):
    master, terminal = pty.openpty()
    with ovim.start(
        "login", "--server", server, "--username", "bob", stdin=terminal, start_new_session=True
    ) as process:
        assert process.stderr is not None
        asked = process.stderr.read(len("Password"))  # what is typed before echo is off would be thrown away
        os.write(master, f"{PASSWORD}\n".encode())
        out, err = process.communicate(timeout=30)
    assert asked == "Password"
    assert process.returncode == 0, err
    os.set_blocking(master, False)
    try:
        echoed = os.read(master, 4096).decode()
    except BlockingIOError:
        echoed = ""
    assert PASSWORD not in echoed + out + err
    os.close(terminal)
    os.close(master)


def test_an_expired_access_token_is_renewed(bob, vdc):
    old = expire(bob)
    assert "dev" in bob.ok("get", "vdcs")
    _, new = tokens(bob)
    assert new["access"] != old["access"]
    assert new["refresh"] != old["refresh"]


def test_a_token_the_server_no_longer_takes_is_renewed(bob, vdc):
    path, pair = tokens(bob)
    path.write_text(json.dumps(pair | {"access": pair["access"][:-4] + "AAAA"}))
    assert "dev" in bob.ok("get", "vdcs")


def test_many_at_once_trade_the_refresh_token_once(bob, vdc):
    expire(bob)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: bob("get", "vdcs", "-o", "name"), range(4)))
    assert [(done.returncode, done.stdout) for done in found] == [(0, "acme/dev\n")] * 4
    assert Session.objects.get().revoked_at is None


def test_a_session_that_was_ended_says_so(bob, vdc):
    Session.objects.update(revoked_at=timezone.now())
    told = bob.refused(4, "get", "vdcs")
    assert "The session has ended" in told
    assert "ovim login" in told
    assert "You are not signed in" in bob.refused(4, "get", "vdcs")


def test_without_any_sign_in(ovim):
    assert "ovim login --server URL" in ovim.refused(4, "get", "vms")


def test_signing_out_ends_the_session_there_and_here(bob):
    bob.ok("logout")
    assert Session.objects.get().revoked_at is not None
    assert not list((bob.files / "tokens").glob("*.json"))
    assert "not signed in" in bob.refused(4, "get", "vms")
    bob.ok("logout")


def test_several_servers(bob, server):
    make_person("charlie")
    assert bob.login(server, "charlie", "--context", "other").returncode == 0
    host = server.removeprefix("http://")
    assert bob.ok("config", "current-context") == "other\n"
    assert bob.ok("get", "vdcs", "-o", "name") == ""
    assert bob.ok("--context", host, "get", "vdcs", "-o", "name") == "acme/dev\n"
    bob.ok("config", "use-context", host)
    assert bob.ok("get", "vdcs", "-o", "name") == "acme/dev\n"
    listed = [line.split() for line in bob.ok("config", "get-contexts").splitlines()]
    assert listed == [
        ["NAME", "SERVER", "USER", "ORG", "VDC"],
        ["*", host, server, "bob"],
        ["other", server, "charlie"],
    ]
    assert "There is no context 'nope'" in bob.refused(3, "config", "use-context", "nope")
    bob.ok("config", "delete-context", host)
    assert "not signed in" in bob.refused(4, "get", "vms")


def test_a_broken_file_is_named(bob):
    (bob.files / "contexts.json").write_text("{")
    assert "contexts.json is not what ovim wrote there" in bob.refused(1, "get", "vms")
