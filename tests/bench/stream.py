"""Two hundred people have a page open while twenty VMs a second change: when each hears of each change, and what the
database has to do for it, beside the same with a single listener."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson
from django.db.models import F

from clusters import live
from tenancy.api import tokens
from tenancy.models import RoleName, User
from tests.bench.ground import Ground
from tests.bench.table import Goal, Row
from tests.cast import make_user, session_of
from tests.domain import a_vdc, an_organization
from vms.models import VirtualMachine

VIEWERS, PER_SECOND, SECONDS, MACHINES = 200, 20, 20, 100
A_TAB_EACH = 10  # so that there are twenty people
MOST_SECONDS, MOST_TIMES = 1.0, 1.2


@dataclass
class Heard:
    """What one listener heard: the delay of each change, by object and generation."""

    delays: dict[tuple[str, int], float] = field(default_factory=dict)
    signs: list[str] = field(default_factory=list)


def measure(ground: Ground) -> Iterator[Row]:
    vdc = a_vdc("main", organization=an_organization("watched"))
    people = [
        make_user(f"viewer-{number}", RoleName.ORG_ADMIN, organization=vdc.organization)
        for number in range(VIEWERS // A_TAB_EACH)
    ]
    vms = VirtualMachine.objects.bulk_create(
        VirtualMachine(
            vdc=vdc, organization_id=vdc.organization_id, name=f"vm-{n}", cpu=1, memory_mib=512, user_data=""
        )
        for n in range(MACHINES)
    )
    ground.start("live")
    port = ground.site.ports["live"]
    one, _ = _run(ground, port, people[:1], 1, vms)
    many, heard = _run(ground, port, people, A_TAB_EACH, vms)
    delays = sorted(delay for listener in heard for delay in listener.delays.values())
    expected = SECONDS * PER_SECOND
    missed = sum(expected - len(listener.delays) for listener in heard)
    note = f"{len(heard)} viewers, {expected} changes; median {statistics.median(delays):.3f} s, missed {missed}"
    yield Row("stream-200", max(delays) if not missed else float("inf"), "s", None, Goal("≤", MOST_SECONDS), note)
    yield Row("stream-200: queries", many, "1/s", one, Goal("≤", MOST_TIMES, "ratio"), "the floor is a single viewer")


def _run(
    ground: Ground, port: int, people: list[User], tabs: int, vms: list[VirtualMachine]
) -> tuple[float, list[Heard]]:
    """Statements a second beyond those that change the rows, and what each listener heard."""
    credentials = [tokens.issue(session_of(person))["access"] for person in people]
    return asyncio.run(_listen(ground, port, [token for token in credentials for _ in range(tabs)], vms))


async def _listen(
    ground: Ground, port: int, credentials: list[str], vms: list[VirtualMachine]
) -> tuple[float, list[Heard]]:
    sent: dict[tuple[str, int], float] = {}
    heard = [Heard() for _ in credentials]
    tasks = [asyncio.create_task(_hear(port, *pair, sent)) for pair in zip(credentials, heard, strict=True)]
    while not all(listener.signs for listener in heard):
        await asyncio.sleep(0.1)
        for task in tasks:
            if task.done():
                task.result()
    await asyncio.sleep(1)
    log = ground.var.log("postgres")
    start = log.stat().st_size
    await asyncio.to_thread(_change, vms, sent)
    statements = log.read_bytes()[start:].count(b"LOG:  execute") + log.read_bytes()[start:].count(b"LOG:  statement")
    await asyncio.sleep(2)
    for task in tasks:
        task.cancel()
    return (statements - len(sent)) / SECONDS, heard


def _change(vms: list[VirtualMachine], sent: dict[tuple[str, int], float]) -> None:
    """Row and message, as `status` does: twenty a second, evenly."""
    began = time.perf_counter()
    for number in range(SECONDS * PER_SECOND):
        time.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
        vm = vms[number % len(vms)]
        vm.generation += 1
        VirtualMachine.objects.filter(pk=vm.pk).update(generation=F("generation") + 1)
        sent[str(vm.pk), vm.generation] = time.perf_counter()
        live.publish([live.Change("vm", vm.pk, vm.generation, vm.phase, vm.organization_id)])


async def _hear(port: int, token: str, heard: Heard, sent: dict[tuple[str, int], float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /live/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n" % token.encode()
    )
    if b"200" not in (status := await reader.readline()):
        raise RuntimeError(f"a stream was refused: {status!r}")
    name = b""
    while line := await reader.readline():
        if line.startswith(b"event: "):
            name = line[7:].strip()
        elif line.startswith(b"data: ") and name == b"change":
            data = orjson.loads(line[6:])
            key = data["id"], data["generation"]
            heard.delays[key] = time.perf_counter() - sent[key]
        elif line.startswith(b"data: "):
            heard.signs.append(name.decode())
    raise RuntimeError("a stream ended")
