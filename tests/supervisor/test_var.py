"""The folder of a start and what it decides: secrets, ports, what is embedded."""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ovim_site.supervisor.process import Account, SupervisorError
from ovim_site.supervisor.site import PORTS, Site, read_site
from ovim_site.supervisor.var import Var

DATABASE = {"OVIM_DATABASE_URL": "postgresql://app@db/x", "OVIM_DATABASE_OWNER_URL": "postgresql://owner@db/x"}


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Var]:
    opened = Var(tmp_path / "var")
    opened.open()
    yield opened
    opened.close()


def names(site: Site) -> list[str]:
    return [part.name for stage in site.stages() for part in stage]


def test_secrets_are_private_complete_and_kept(var: Var) -> None:
    made = var.secrets()
    assert stat.S_IMODE((var.folder / "secrets.json").stat().st_mode) == 0o600
    key = load_pem_private_key(made["OVIM_JWT_KEY"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert len(base64.b64decode(made["OVIM_CREDENTIAL_KEY"])) == 32
    assert var.secrets() == made


def test_a_secret_that_is_new_in_this_version_is_added_to_the_kept_ones(var: Var) -> None:
    made = var.secrets()
    (var.folder / "secrets.json").write_text(json.dumps({**made, "redis": None} | {"more": "kept"}))
    kept = json.loads((var.folder / "secrets.json").read_text())
    del kept["redis"]
    (var.folder / "secrets.json").write_text(json.dumps(kept))
    again = var.secrets()
    assert again["redis"]
    assert again["OVIM_SECRET_KEY"] == made["OVIM_SECRET_KEY"]


def test_broken_secrets_stop_the_start_with_a_sentence(var: Var) -> None:
    (var.folder / "secrets.json").write_text("{")
    with pytest.raises(SupervisorError, match=r"secrets\.json can't be read"):
        var.secrets()


def test_ports_are_kept_and_another_is_taken_only_where_it_must(var: Var) -> None:
    before = var.ports(PORTS)
    assert len(set(before.values())) == len(PORTS)
    assert var.ports(PORTS) == before
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", before["web"]))
        taker.listen()
        after = var.ports(PORTS)
    assert after["web"] != before["web"]
    assert {name: after[name] for name in PORTS if name != "web"} == {
        name: before[name] for name in PORTS if name != "web"
    }


@pytest.mark.parametrize("given", sorted(DATABASE))
def test_one_database_address_without_the_other_stops_the_start(var: Var, given: str) -> None:
    missing = next(name for name in DATABASE if name != given)
    with pytest.raises(SupervisorError, match=f"{given} is set and {missing} is not"):
        read_site(var, {given: DATABASE[given]})


def test_everything_is_embedded_when_nothing_is_set(var: Var) -> None:
    site = read_site(var, {})
    assert names(site)[:5] == ["postgres", "valkey", "sandbox", "migrate", "setup"]
    assert site.environment["OVIM_KUBECONFIG"].startswith(str(var.folder))


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        (DATABASE, "postgres"),
        ({"OVIM_REDIS_URL": "redis://cache:6379/0"}, "valkey"),
        ({"OVIM_KUBECONFIG": "/clusters/real"}, "sandbox"),
    ],
)
def test_a_variable_replaces_one_part(var: Var, given: dict[str, str], gone: str) -> None:
    site = read_site(var, given)
    assert gone not in names(site)
    assert len({"postgres", "valkey", "sandbox"} & set(names(site))) == 2
    assert given.items() <= site.environment.items()


def test_what_the_shell_exports_for_other_programs_leads_no_part_astray(var: Var) -> None:
    shell = {"KUBECONFIG": "/production", "PGHOST": "elsewhere", "PGSSLMODE": "require", "HTTP_PROXY": "http://proxy"}
    site = read_site(var, shell)
    assert not {"KUBECONFIG", "PGHOST", "PGSSLMODE"} & set(site.environment)
    assert "127.0.0.1" in site.environment["NO_PROXY"]


def test_a_public_address_of_ones_own_keeps_the_local_checks_possible(var: Var) -> None:
    site = read_site(var, {"OVIM_PUBLIC_URL": "https://cloud.example.org"})
    assert site.environment["OVIM_ALLOWED_HOSTS"] == "cloud.example.org,127.0.0.1,localhost"
    assert site.web_url == f"http://127.0.0.1:{site.ports['web']}"


@pytest.mark.skipif(os.geteuid() != 0, reason="root makes the folder that another account then can't write")
def test_a_folder_of_another_account_is_refused_with_a_sentence(open_folder: Path) -> None:
    nobody = Account.nobody()
    child = os.fork()
    if child == 0:
        os.setgid(nobody.gid)
        os.setuid(nobody.uid)
        try:
            Var(open_folder / "var").open()
        except SupervisorError as error:
            os._exit(7 if "can't be written" in str(error) else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_the_sandboxs_token_is_in_a_file_and_on_no_command_line(var: Var) -> None:
    site = read_site(var, {})
    sandbox = next(part for stage in site.stages() for part in stage if part.name == "sandbox")
    argv = [str(word) for word in sandbox.prepare().argv]
    file = Path(argv[argv.index("--token-file") + 1])
    assert file.read_text() == site.sandbox_token
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(str(site.sandbox_token) in word for word in argv)
