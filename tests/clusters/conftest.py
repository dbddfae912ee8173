"""Two sandboxes with KubeVirt for the session, prepared for OVIM, each with the token of OVIM's account there."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clusters.sandbox.tls import certificates
from tests.clusters.fleet import Fleet, Prepared, emptied, prepare
from tests.sandbox import Sandbox
from tests.vms.conftest import images  # noqa: F401  # a fixture: importing it here is what registers it


def _prepared(*options: str) -> Iterator[Prepared]:
    os.environ["OVIM_SANDBOX_PACE"] = "fast"
    with Sandbox(*options) as running:
        yield Prepared(running, prepare(running))


@pytest.fixture(scope="session")
def east() -> Iterator[Prepared]:
    yield from _prepared()


@pytest.fixture(scope="session")
def west(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """It keeps what it has in a folder: killed, it comes back as it was."""
    yield from _prepared("--data", str(tmp_path_factory.mktemp("west")))


@pytest.fixture(scope="session")
def bare() -> Iterator[Prepared]:
    """A cluster without KubeVirt and CDI."""
    yield from _prepared("--plain")


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A cluster that speaks TLS, with a CA of its own."""
    folder = tmp_path_factory.mktemp("tls")
    certificates(folder, "127.0.0.1")
    with Sandbox(
        "--plain", "--host", "0.0.0.0", tls=folder
    ) as running:  # so that it is reached by a name it does not have
        yield Prepared(running, prepare(running), (folder / "ca.crt").read_text())


@pytest.fixture(scope="session")
def _south(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("south")
    os.environ["OVIM_SANDBOX_PACE"] = "fast"
    with Sandbox(tls=folder) as running:
        yield Prepared(running, prepare(running), (folder / "ca.crt").read_text())


@pytest.fixture
def south(_south: Prepared) -> Iterator[Prepared]:
    """A cluster with KubeVirt that speaks TLS, so that it takes client certificates."""
    yield _south
    emptied(_south.sandbox)


@pytest.fixture(scope="session")
def another_ca(tmp_path_factory: pytest.TempPathFactory) -> str:
    return certificates(tmp_path_factory.mktemp("other"), "127.0.0.1")[0].read_text()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keeps test output clean."""


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[str]:
    """Something that speaks HTTP and is no API server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def fleet(live_db: None, east: Prepared, west: Prepared, images: str) -> Iterator[Fleet]:  # noqa: F811
    """Two clusters that OVIM does not know yet."""
    found = Fleet(east, west, images)
    yield found
    found.clean()
