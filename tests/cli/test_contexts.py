"""Where tokens and contexts come from: files, a keyring, the environment; and that no token goes to the wrong server."""

import json
import os

from tests.cast import make_person, session_of
from tests.domain import a_vm

KEYRING = """
import json, os, pathlib
store = pathlib.Path(os.environ["RING"])
def _all(): return json.loads(store.read_text()) if store.exists() else {}
def set_password(service, name, text):
    if os.environ.get("RING_BROKEN"): raise RuntimeError("no backend")
    store.write_text(json.dumps(_all() | {f"{service} {name}": text}))
def get_password(service, name): return _all().get(f"{service} {name}")
def delete_password(service, name):
    left = _all(); del left[f"{service} {name}"]; store.write_text(json.dumps(left))
"""


def with_keyring(ovim, **more):
    """A desktop's keyring, as the `keyring` package shows it."""
    folder = ovim.home / "ring"
    folder.mkdir(exist_ok=True)
    (folder / "keyring.py").write_text(KEYRING)
    ovim.env = {"PYTHONPATH": str(folder), "RING": str(folder / "secrets.json"), **more}
    return folder / "secrets.json"


def test_tokens_live_in_the_keyring_where_one_works(ovim, server, vdc):
    ring = with_keyring(ovim)
    assert "in your keyring" in ovim.login(server).stderr
    (path,) = (ovim.files / "tokens").glob("*.json")
    assert json.loads(path.read_text()) == {"in": "keyring"}
    (secret,) = json.loads(ring.read_text()).values()
    ring.write_text(ring.read_text().replace(str(json.loads(secret)["expires_at"]), "0"))  # time passes
    assert "dev" in ovim.ok("get", "vdcs")
    assert json.loads(next(iter(json.loads(ring.read_text()).values())))["access"] != json.loads(secret)["access"]
    ovim.ok("logout")
    assert json.loads(ring.read_text()) == {}
    assert not path.exists()


def test_a_keyring_that_only_pretends_is_left_alone(ovim, server, vdc):
    with_keyring(ovim, RING_BROKEN="1")
    assert "in a file that only you can read" in ovim.login(server).stderr
    assert "dev" in ovim.ok("get", "vdcs")


def test_no_keyring_if_so_wished_and_a_lost_one_is_told(ovim, server, vdc):
    ring = with_keyring(ovim)
    assert "in a file" in ovim.login(server, "bob", "--no-keyring").stderr
    assert not ring.exists()
    ovim.login(server)
    ring.unlink()
    told = ovim.refused(4, "get", "vdcs")
    assert "keyring" in told
    assert "ovim login" in told


def test_a_pipeline_gives_server_and_token(ovim, server, vdc):
    from tenancy.api import tokens

    token = tokens.issue(session_of(make_person("bob")))["access"]
    ovim.env = {"OVIM_SERVER": server, "OVIM_TOKEN": token}
    assert ovim.ok("get", "vdcs", "-o", "name") == "acme/dev\n"
    assert not ovim.files.exists(), "nothing is written"
    ovim.env = {"OVIM_SERVER": server, "OVIM_TOKEN": token[:-3] + "AAA"}
    assert "The token came from OVIM_TOKEN, or --token." in ovim.refused(4, "get", "vdcs")
    ovim.env = {"OVIM_SERVER": server}
    assert f"You are not signed in to {server}" in ovim.refused(4, "get", "vdcs")


def test_no_token_goes_to_another_server(bob, server):
    host = server.removeprefix("http://")
    bob.env = {"OVIM_SERVER": f"https://{host}"}
    assert "not signed in" in bob.refused(4, "get", "vdcs"), "the same name, another scheme: another server"
    bob.env = {}
    bob.ok("config", "set-context", "--server", "http://127.0.0.1:1")
    assert "not signed in" in bob.refused(4, "get", "vdcs")


def test_set_context(bob, server, vdc, tmp_path):
    pem = tmp_path / "own.pem"
    pem.write_text("x")
    bob.ok("config", "set-context", "other", "--server", "cloud.example.org", "--org", "acme", "--client-certificate",
           os.path.relpath(pem, os.getcwd()))  # fmt: skip
    saved = json.loads((bob.files / "contexts.json").read_text())["contexts"]["other"]
    assert (saved["server"], saved["org"]) == ("https://cloud.example.org", "acme")
    assert saved["client_cert"] == str(pem)
    pem.unlink()
    bob.ok("config", "use-context", "other")
    bob.ok("config", "set-context", "--username", "bob")
    assert "not signed in" in bob.refused(4, "get", "vms")
    assert "own.pem is not there" in bob.refused(
        1, "login", "--server", "https://cloud.example.org", "--context", "other", "--username", "b",
        "--password-stdin", text="p\n",
    )  # fmt: skip
    assert "To make it, give --server" in bob.refused(3, "config", "set-context", "nope", "--org", "x")
    assert bob.ok("config", "get-contexts", "-o", "name").splitlines()[-1] == "other"


def test_an_idempotency_key_goes_with_what_makes_something(bob, item, vdc):
    from core.models import AnsweredRequest

    bob.ok("create", "vm", "web", "--vdc", "dev", "--item", "jammy")
    assert AnsweredRequest.objects.count() >= 1
    a_vm(vdc, "db")
