"""How fast the sandbox cluster is: applies, a long list, watchers, a restart with many objects."""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.bench.table import Goal, Row
from tests.sandbox import TOKEN, Sandbox

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS, APPLIES, MACHINES, WATCHERS, CHANGES, OBJECTS = 4, 3000, 10_000, 20, 200, 100_000
VMS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"
MAPS = "/api/v1/namespaces/default/configmaps"
Job = tuple[str, str, bytes]


def measure() -> Iterator[Row]:
    os.environ["OVIM_SANDBOX_CONTROLLERS"] = "off"  # whose work would be measured, too
    yield from asyncio.run(_speed())
    yield asyncio.run(_restart())


def _machine(name: str) -> bytes:
    disks = [{"name": "root", "disk": {"bus": "virtio"}}]
    domain = {"cpu": {"cores": 2}, "memory": {"guest": "2Gi"}, "devices": {"disks": disks}}
    template = {"spec": {"domain": domain, "volumes": [{"name": "root", "containerDisk": {"image": "x"}}]}}
    spec = {"runStrategy": "Halted", "template": template}
    head = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name}}
    return json.dumps({**head, "spec": spec}).encode()


class Plain:
    """HTTP as plainly as Python can: one connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> "Plain":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**26)
        return self

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        media = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {media}\r\n"
        self.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 20"), answer
        size = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return await self.reader.readexactly(size)


async def _rate(port: int, jobs: list[Job]) -> float:
    """Requests a second over several connections."""
    left = list(reversed(jobs))

    async def work() -> None:
        one = await Plain(port).open()
        while left:
            await one.ask(*left.pop())
        one.writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return len(jobs) / (time.perf_counter() - began)


@contextmanager
def _echo() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["-m", "uvicorn", "tests.bench.echo:application", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT)
    try:
        _await(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _await(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the echo server did not start")


async def _speed() -> list[Row]:
    applies = [("PATCH", f"{VMS}/vm-{i}?fieldManager=bench", _machine(f"vm-{i}")) for i in range(MACHINES)]
    with _echo() as echo, Sandbox("--no-vm-webhooks") as sandbox:
        floor = await _rate(echo, applies[:APPLIES])
        rate = await _rate(sandbox.port, applies[:APPLIES])
        note = f"VM applies that create, {CONNECTIONS} connections; floor: a server that only reads and writes the JSON"
        rows = [Row("sandbox-apply", rate, "1/s", floor, Goal("≥", 500), note)]
        await _rate(sandbox.port, applies[APPLIES:])
        rows.append(await _list(sandbox.port, echo))
        rows.append(await _fanout(sandbox.port))
    return rows


async def _list(port: int, echo: int) -> Row:
    """Seconds of a list of all machines, and how long others waited meanwhile."""
    reader, other = await Plain(port).open(), await Plain(port).open()
    await reader.ask("GET", f"{VMS}?limit=1")
    listing = asyncio.ensure_future(_timed(reader, VMS))
    waits = []
    while not listing.done():
        began = time.perf_counter()
        await other.ask("GET", f"{VMS}/vm-1")
        waits.append(time.perf_counter() - began)
    seconds, body = await listing
    assert len(orjson.loads(body)["items"]) == MACHINES
    floor, _ = await _timed(await Plain(echo).open(), f"/?bytes={len(body)}")
    note = f"{len(body) / 1e6:.1f} MB; others waited {max(waits) * 1000:.0f} ms at most; floor: the same bytes, ready"
    return Row("sandbox-list-10k", seconds, "s", floor, Goal("≤", 1.0), note)


async def _timed(one: Plain, path: str) -> tuple[float, bytes]:
    began = time.perf_counter()
    body = await one.ask("GET", path)
    return time.perf_counter() - began, body


async def _fanout(port: int) -> Row:
    """Milliseconds from a change to the last of the watchers, and to a single one."""
    alone = await _changes(port, 1)
    note = f"median of {CHANGES} changes to the last of {WATCHERS} watchers; floor: one watcher"
    return Row("sandbox-fanout", await _changes(port, WATCHERS), "ms", alone, Goal("≤", 50.0), note)


async def _changes(port: int, watchers: int) -> float:
    """The median over all changes of the time until every watcher has heard of it."""
    seen: dict[str, list[float]] = {}
    since = json.loads(await (await Plain(port).open()).ask("GET", MAPS))["metadata"]["resourceVersion"]
    path = f"{MAPS}?watch=1&resourceVersion={since}&timeoutSeconds=120"

    async def listen(one: Plain) -> None:
        one.writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        while len(seen.get("done", ())) < watchers:
            line = await one.reader.readline()
            if line.startswith(b'{"type"'):
                name = orjson.loads(line)["object"]["metadata"]["name"]
                seen.setdefault(name, []).append(time.perf_counter())
                if name == "done":
                    return

    listeners = [asyncio.ensure_future(listen(await Plain(port).open())) for _ in range(watchers)]
    await asyncio.sleep(0.5)
    writer, sent = await Plain(port).open(), {}
    for name in [*(f"change-{watchers}-{i}" for i in range(CHANGES)), "done"]:
        sent[name] = time.perf_counter()
        await writer.ask("POST", MAPS, json.dumps({"metadata": {"name": name}}).encode())
        await asyncio.sleep(0.005)
    await asyncio.wait_for(asyncio.gather(*listeners), 60)
    await writer.ask("DELETE", f"{MAPS}/done")
    assert all(len(times) == watchers for times in seen.values())
    return statistics.median(1000 * (max(times) - sent[name]) for name, times in seen.items())


async def _restart() -> Row:
    """Seconds until a server that was killed has all its objects again."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = [("POST", MAPS, json.dumps({"metadata": {"name": f"m-{i}"}}).encode()) for i in range(OBJECTS)]
        with Sandbox("--plain", "--data", folder) as sandbox:
            rate = await _rate(sandbox.port, jobs)
            sandbox.stop(9)
            began = time.perf_counter()
            sandbox.start()
            seconds = time.perf_counter() - began
            counted = json.loads(await (await Plain(sandbox.port).open()).ask("GET", f"{MAPS}?limit=1"))
        left = counted["metadata"]["remainingItemCount"]
        assert left >= OBJECTS, f"only {left} came back"
        floor = _read(Path(folder))
    note = f"killed, then started with {OBJECTS} objects made at {rate:.0f}/s; floor: the journal read and parsed"
    return Row("sandbox-100k", seconds, "s", floor, Goal("≤", 20.0), note)


def _read(folder: Path) -> float:
    began = time.perf_counter()
    for file in folder.glob("*.jsonl"):
        with file.open("rb") as lines:
            kept: list[Any] = [orjson.loads(line) for line in lines]
    assert kept
    return time.perf_counter() - began
