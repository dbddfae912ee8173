"""A plain sandbox for the session; for each test a fresh namespace on it, and its row in the database."""

import contextlib
import urllib.error
import uuid
from collections.abc import Iterator

import pytest

from clusters import secrets
from clusters.models import Cluster
from tests.engine import driver
from tests.engine.notes.models import Notebook
from tests.sandbox import TOKEN, Sandbox


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    with Sandbox("--plain") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Iterator[Sandbox]:
    yield sandbox_process
    sandbox_process.clear()


@pytest.fixture
def cluster(live_db: None, sandbox: Sandbox) -> Iterator[Cluster]:
    yield Cluster.objects.create(
        name=f"c{uuid.uuid4().hex[:8]}", display_name="test", server=sandbox.url, credential=secrets.encrypt(TOKEN)
    )
    sandbox.clear()
    for namespace in sandbox.request("GET", "/api/v1/namespaces?labelSelector=notes")["items"]:
        with contextlib.suppress(urllib.error.HTTPError):  # it went by itself meanwhile
            sandbox.request("DELETE", f"/api/v1/namespaces/{namespace['metadata']['name']}")


@pytest.fixture
def book(cluster: Cluster) -> Notebook:
    """A notebook that is ready: its namespace is there."""
    row = driver.notebook(cluster, f"book-{uuid.uuid4().hex[:8]}")
    driver.settle(cluster)
    row.refresh_from_db()
    assert row.ready_at is not None
    return row
