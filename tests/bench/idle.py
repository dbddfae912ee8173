"""What OVIM's own processes do while nobody wants anything: 10,000 settled VMs, one minute.

Statements are counted in PostgreSQL's own log, writes by the cluster's resource version, processor time by the kernel.
The rows, the inventory and the cache are written as the engine leaves them; of the VMs' objects the cluster has none,
which nobody notices before the next relist, a quarter of an hour later.
"""

import os
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from django.db.models.functions import Now

from clusters import connections
from clusters.models import Cluster, InventoryItem, ObservedObject, WorkItem
from clusters.refs import KINDS
from core.actor import system_actor
from tenancy.services.organizations import create_organization
from tests.bench.ground import Ground
from tests.bench.table import Goal, Row
from vdcs.models import Vdc
from vdcs.services import create_vdc
from vms.models import Disk, DiskSource, VirtualMachine

MANY, MINUTE, QUIET = 10_000, 60.0, 15.0
MOST_QUERIES, MOST_CPU = 5.0, 3.0
BENCH = system_actor("bench")
HERTZ = os.sysconf("SC_CLK_TCK")
STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): (.*)")


def measure(ground: Ground) -> Iterator[Row]:
    ground.start("sandbox")
    ground.start("setup")
    running = {name: process.pid for name, process in ground.start(*ground.site.programs).items()}
    organization = create_organization(actor=BENCH, name="idle", display_name="Idle")
    vdc = create_vdc(actor=BENCH, organization=organization, name="idle")
    _until_settled()
    _fill(vdc)
    _until_settled()
    time.sleep(QUIET)
    client, namespaces = connections.client_of(Cluster.objects.get().pk), KINDS["", "Namespace"]
    log, version = ground.var.log("postgres"), client.list(namespaces)[1]
    start, spent = log.stat().st_size, {name: _seconds(pid) for name, pid in running.items()}
    time.sleep(MINUTE)
    told = log.read_bytes()[start:].decode(errors="replace")
    used = {name: (_seconds(pid) - spent[name]) / MINUTE * 100 for name, pid in running.items()}
    writes = int(client.list(namespaces)[1]) - int(version)
    said = Counter(_short(line) for line in STATEMENT.findall(told))
    most = "; ".join(f"{count} × {text}" for text, count in said.most_common(8))
    yield Row("idle-10k: cluster writes", writes, "writes", None, Goal("≤", 0))
    yield Row("idle-10k: queries", said.total() / MINUTE, "1/s", None, Goal("≤", MOST_QUERIES), most)
    parts = ", ".join(f"{name} {share:.2f}" for name, share in sorted(used.items(), key=lambda pair: -pair[1]))
    yield Row("idle-10k: processor", sum(used.values()), "% of a core", None, Goal("≤", MOST_CPU), parts)


def _until_settled(seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while WorkItem.objects.exists():
        if time.monotonic() > end:
            raise RuntimeError(f"does not settle: {WorkItem.objects.values()[:3]}")
        time.sleep(0.2)


def _fill(vdc: Vdc) -> None:
    """The VMs with a disk each, what the inventory knows of them, and the cache."""
    own = {"vdc": vdc, "organization_id": vdc.organization_id}
    settled = {"generation": 1, "observed_generation": 1, "phase": "Running", "ready_at": Now()}
    vms = [
        VirtualMachine(**own, **settled, name=f"vm-{number}", cpu=1, memory_mib=512, user_data="")
        for number in range(MANY)
    ]
    VirtualMachine.objects.bulk_create(vms, batch_size=1000)
    Disk.objects.bulk_create(
        [Disk(vdc=vdc, vm=vm, name=f"{vm.name}-disk-0", source=DiskSource.BLANK, size_gib=1) for vm in vms],
        batch_size=1000,
    )
    cluster = Cluster.objects.get()
    kinds = [("kubevirt.io", "VirtualMachine", ""), ("cdi.kubevirt.io", "DataVolume", "-disk-0"), ("", "Secret", "-ci")]
    items = [
        InventoryItem(
            owner_kind="vm", owner_id=vm.pk, data_of_kind="vm", data_of_id=vm.pk, cluster=cluster, group=group,
            kind=kind, namespace=vdc.namespace, name=f"{vm.name}{end}", uid=uuid.uuid4(), checked_at=None,
        )
        for vm in vms
        for group, kind, end in kinds
    ]  # fmt: skip
    InventoryItem.objects.bulk_create(items, batch_size=1000)
    ObservedObject.objects.bulk_create(
        [
            ObservedObject(
                cluster=cluster, group=item.group, kind=item.kind, namespace=item.namespace, name=item.name,
                uid=str(item.uid), resource_version=1, body={"metadata": {"name": item.name}},
            )
            for item in items
        ],
        batch_size=1000,
    )  # fmt: skip


def _seconds(leader: int) -> float:
    """Processor time of a part: of every process of its group, and of those it has buried."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader:
            total += sum(map(int, fields[11:15]))  # user, system, and the same of its dead children
    return total / HERTZ


def _short(statement: str) -> str:
    return re.sub(r"\s+", " ", statement)[:60]
