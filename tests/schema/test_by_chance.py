"""Schemathesis against the running web server: whatever the OpenAPI document allows, and whatever it forbids.

A short form by default; OVIM_SCHEMA_EXAMPLES=100 (say) makes it a long one, OVIM_SCHEMA_SEED repeats a run,
OVIM_SCHEMA_OPTIONS adds words for `schemathesis run` (--include-path=/api/v1/vms).
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from catalogs.models import CatalogItem
from clusters.models import Cluster
from clusters.secrets import encrypt
from tenancy.api import tokens
from tenancy.models import RoleBinding, RoleName
from tenancy.oidc.rows import IdentityProvider
from tests.cast import make_cluster, make_organization, make_person, session_of
from tests.domain import KEY, a_vdc, a_vm, an_organization
from tests.live.conftest import ROOT, answers, free_port
from tests.sandbox import TOKEN, Sandbox

pytestmark = pytest.mark.slow
LONG = "OVIM_SCHEMA_EXAMPLES" in os.environ
EXAMPLES = os.environ.get("OVIM_SCHEMA_EXAMPLES", "4")
SEED = os.environ.get("OVIM_SCHEMA_SEED", "1")
LEFT_OUT = {
    "/live/v1/stream": "another process serves it and it never ends: tests/live",
    "/api/v1/auth/logout": "it ends the session that all other calls are made with: tests/tenancy/test_sign_in.py",
    "/api/v1/identity-providers/{id}/check": "it asks a provider, and there is none: tests/tenancy/oidc/test_rules.py",
    "/api/v1/access/explain": "what it takes hangs together, and 400 says how: tests/tenancy/test_explain.py",
    "/api/v1/me/password": "who guesses one's password is stopped after ten times: tests/tenancy/test_accounts.py",
} | {
    f"/api/v1/me/second-factor/{verb}": "who guesses codes is stopped as well: tests/tenancy/test_second_factor.py"
    for verb in ("confirm", "recovery-codes", "remove")
}


@dataclass
class World:
    """The web server as it is started in the demo, over a database with something of everything."""

    url: str
    ids: dict[str, str]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def world(live_db: None, sandbox: Sandbox) -> Iterator[World]:
    url = f"http://127.0.0.1:{free_port()}"
    serve = ("--interface", "wsgi", "--workers", "1", "--blocking-threads", "4", "--log-level", "warning")
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", *serve, "--port", url.rpartition(":")[2], "ovim_site.wsgi:application"],
        cwd=ROOT,
        env=os.environ | {"OVIM_PUBLIC_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ids = _fill(sandbox)
    answers(f"{url}/healthz")
    yield World(url, ids)
    process.terminate()
    process.wait(timeout=10)


def _fill(sandbox: Sandbox) -> dict[str, str]:
    """Rows of every kind; operation → the row it is tried on. What deletes has rows of its own."""
    make_cluster()
    Cluster.objects.update(server=sandbox.url, credential=encrypt(TOKEN))
    acme = an_organization()
    vdc = a_vdc(organization=acme, limits={"cpu": 1000})
    vm = a_vm(vdc, "web", ssh_keys=[KEY], user_data="#cloud-config\n{}\n")
    gone = a_vm(vdc, "db", power_state="off")
    item = CatalogItem.objects.get()
    bob = make_person("bob")
    binding = RoleBinding.objects.get(user=bob)
    lasting = RoleBinding.objects.create(user=bob, role=RoleName.USER, organization=acme)
    provider, other = (
        IdentityProvider.objects.create(
            organization=acme, name=name, display_name=name, issuer=issuer, client_id="ovim"
        )
        for name, issuer in (("sso", "https://sso.example.org"), ("old", "https://old.example.org"))
    )
    ids = {
        "/identity-providers/{id}": provider.pk,
        "/identity-providers/{id}/try": provider.pk,
        "DELETE /identity-providers/{id}": other.pk,
        "/organizations/{id}": acme.pk,
        "/organizations/{id}/quota": acme.pk,
        "/users/{id}": bob.pk,
        "/users/{id}/reset-password": bob.pk,
        "/users/{id}/disable": bob.pk,
        "/users/{id}/enable": bob.pk,
        "/vdcs/{id}": vdc.pk,
        "/vms/{id}": vm.pk,
        "/vms/{id}/start": vm.pk,
        "/vms/{id}/stop": vm.pk,
        "/catalogs/{id}": item.catalog_id,
        "/catalog-items/{id}": item.pk,
        "/clusters/{id}": vdc.cluster_id,
        "DELETE /organizations/{id}": make_organization("globex").pk,
        "DELETE /vdcs/{id}": a_vdc("empty", organization=acme, limits={}).pk,
        "DELETE /vms/{id}": gone.pk,
        "DELETE /role-bindings/{id}": binding.pk,
        "PATCH /role-bindings/{id}": lasting.pk,
    }
    return {operation: str(pk) for operation, pk in ids.items()}


def _config(world: World, folder: Path) -> Path:
    """Ours, and the rows to try things on: an invented id only ever shows a 404."""
    text = (Path(__file__).parent / "schemathesis.toml").read_text()
    for operation, pk in sorted(world.ids.items(), key=lambda pair: " " not in pair[0]):  # the first that fits holds
        method, _, path = operation.rpartition(" ")
        which = f'include-name = "{method} /api/v1{path}"' if method else f'include-path = "/api/v1{path}"'
        text += f'\n[[operations]]\n{which}\nparameters = {{ "path.id" = "{pk}" }}\n'
    file = folder / "schemathesis.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", ["root", "alice"])
@pytest.mark.timeout(3600)
def test_no_answer_breaks_the_document(world: World, name: str, tmp_path: Path, settings: Any) -> None:
    settings.OVIM_PUBLIC_URL = world.url  # whose tokens that server takes
    token = tokens.issue(session_of(make_person(name)))["access"]
    words = [str(Path(sys.executable).parent / "schemathesis"), f"--config-file={_config(world, tmp_path)}"]
    words += ["run", str(ROOT / "schema.yaml"), f"--url={world.url}", f"--header=Authorization: Bearer {token}"]
    words += [
        "--checks=all",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--no-color",
        "--workers=1",
    ]  # two threads trip over CPython 3.11's ast.parse (gh-106905)
    if name != "root" and not LONG:  # the same 2,800 cases of the coverage phase again: the long form tries them, too
        words.append("--phases=examples,fuzzing,stateful")
    words += ["--continue-on-failure", "--generation-database=none", "--suppress-health-check=all"]
    chosen = os.environ.get("OVIM_SCHEMA_OPTIONS", "").split()
    words += chosen or [f"--exclude-path={path}" for path in LEFT_OUT]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2000:]
