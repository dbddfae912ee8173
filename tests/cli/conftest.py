"""The `ovim` command as its users have it: a process of its own, over HTTP, against the application and a database."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db.models import F

from catalogs.models import CatalogItem
from tests.cast import PASSWORD, make_person
from tests.domain import a_vdc, an_item
from vdcs.models import Vdc
from vms.models import VirtualMachine

ROOT = Path(__file__).resolve().parents[2]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        """Keeps test output clean."""


@pytest.fixture
def server(live_db: None) -> Iterator[str]:
    running = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet)
    running.daemon_threads = True
    running.set_app(get_wsgi_application())
    threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    running.server_close()


@dataclass
class Ovim:
    """Runs the command. Nothing of this process's environment is in it but what a shell needs."""

    home: Path
    cache: Path
    env: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "PYTHONPYCACHEPREFIX": str(self.cache),
            **self.env,
        }

    def start(self, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe} | more
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment(), text=True, **options)

    def __call__(self, *arguments: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, stdin=subprocess.PIPE)
        out, err = process.communicate(text or "", timeout=60)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ok(self, *arguments: str, text: str | None = None) -> str:
        done = self(*arguments, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, code: int, *arguments: str, text: str | None = None) -> str:
        done = self(*arguments, text=text)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert done.stdout == "", "data on stdout only: a refusal is none"
        return done.stderr

    def login(self, server: str, who: str = "bob", *more: str) -> "subprocess.CompletedProcess[str]":
        return self("login", "--server", server, "--username", who, "--password-stdin", *more, text=PASSWORD + "\n")

    @property
    def files(self) -> Path:
        return self.home / "config" / "ovim"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pycache")


@pytest.fixture
def ovim(tmp_path: Path, cache: Path) -> Ovim:
    return Ovim(tmp_path, cache)


@pytest.fixture
def vdc(server: str) -> Vdc:
    found = a_vdc(limits={"cpu": 8, "memory_mib": 8192, "disk_gib": 100, "vms": 5})
    make_person("bob")
    return found


@pytest.fixture
def item(vdc: Vdc) -> CatalogItem:
    return an_item()


@pytest.fixture
def bob(ovim: Ovim, server: str, vdc: Vdc) -> Ovim:
    """The command, signed in as bob, a user of acme/dev."""
    done = ovim.login(server)
    assert done.returncode == 0, done.stderr
    return ovim


@pytest.fixture
def root(ovim: Ovim, server: str) -> Ovim:
    make_person("root")
    done = ovim.login(server, "root")
    assert done.returncode == 0, done.stderr
    return ovim


def shown(name: str = "web", phase: str = "Running", **more: Any) -> None:
    """As if the cluster had shown this after the last change."""
    VirtualMachine.objects.filter(name=name).update(phase=phase, observed_generation=F("generation"), **more)
