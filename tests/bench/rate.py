"""How many VMs a second the workers bring into a cluster, beside bare client calls that make the same objects.

The sandbox's controllers are off: it only stores, so that what is measured is the engine. The floor is measured before
and after, with as many processes, each sending ready-made bodies over one kept connection; no watcher, no database.
"""

import multiprocessing
import os
import time
import uuid
from collections.abc import Iterator

import orjson
import urllib3
from django.db import connection, transaction

from clusters import connections, kubeconfig, queue, status
from clusters.apply import Held, Owner, stamped
from clusters.models import Cluster, InventoryItem
from clusters.refs import KINDS
from core.actor import system_actor
from ovim_site.supervisor.site import SLOTS
from tenancy.services.organizations import create_organization
from tests.bench.ground import Ground
from tests.bench.table import Goal, Row
from vdcs.models import Vdc
from vdcs.services import create_vdc
from vms import desired, selectors
from vms.models import Disk, DiskSource, VirtualMachine

MANY, LEAST = 1000, 0.75
BENCH = system_actor("bench")
APPLY = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}


def measure(ground: Ground) -> Iterator[Row]:
    ground.start("sandbox")
    ground.start("setup")
    engine = ground.start("worker", "beat", "watcher")
    organization = create_organization(actor=BENCH, name="rate", display_name="Rate")
    before, ours, after = (
        create_vdc(actor=BENCH, organization=organization, name=n) for n in ("before", "ours", "after")
    )
    _await_active([before, ours, after])
    access = kubeconfig.read(ground.site.kubeconfig)
    floors = [_floor(before, access)]
    ran = _engine(ours)
    for process in engine.values():
        process.terminate()
        process.wait()
    floors.append(_floor(after, access))
    rate, floor = MANY / ran, MANY * len(floors) / sum(floors)
    note = f"floor before and after: {', '.join(f'{MANY / took:.0f}' for took in floors)} VMs/s"
    yield Row("reconcile-rate", rate, "VMs/s", floor, Goal("≥", LEAST, "ratio"), note)


def _await_active(vdcs: list[Vdc]) -> None:
    end = time.monotonic() + 60
    while Vdc.objects.filter(pk__in=[vdc.pk for vdc in vdcs], ready_at__isnull=False).count() < len(vdcs):
        if time.monotonic() > end:
            raise RuntimeError(f"the VDCs are not ready: {Vdc.objects.values('phase', 'conditions')}")
        time.sleep(0.1)


def _rows(vdc: Vdc) -> list[VirtualMachine]:
    """A thousand VMs with a blank disk each. Written in bulk: what is measured begins when they are there."""
    vms = [
        VirtualMachine(
            vdc=vdc, organization_id=vdc.organization_id, name=f"vm-{number}", cpu=1, memory_mib=512, user_data=""
        )
        for number in range(MANY)
    ]
    disks = [Disk(vdc=vdc, vm=vm, name=f"{vm.name}-disk-0", source=DiskSource.BLANK, size_gib=1) for vm in vms]
    VirtualMachine.objects.bulk_create(vms)
    Disk.objects.bulk_create(disks)
    return vms


# --- the engine -----------------------------------------------------------------------------------------------------


def _engine(vdc: Vdc) -> float:
    """Seconds from the commit that makes them due until all are in the cluster."""
    with transaction.atomic():
        queue.request_all(_rows(vdc))
    began = time.monotonic()
    made = InventoryItem.objects.filter(namespace=vdc.namespace, kind="VirtualMachine", uid__isnull=False)
    while made.count() < MANY:
        if time.monotonic() - began > 600:
            raise RuntimeError(f"after ten minutes {made.count()} are there")
        time.sleep(0.1)
    took = time.monotonic() - began
    client = connections.client_of(Cluster.objects.get().pk)
    live, _version = client.list(KINDS["kubevirt.io", "VirtualMachine"], namespace=vdc.namespace)
    assert len(live) == MANY, f"{len(live)} VirtualMachines are in the cluster"
    return took


# --- the floor ------------------------------------------------------------------------------------------------------


def _floor(vdc: Vdc, access: kubeconfig.Access) -> float:
    """Seconds for the same objects by as many processes as the worker has."""
    slots = int(SLOTS)
    with transaction.atomic():
        bodies = [_bodies(vm) for vm in _rows(vdc)]
        transaction.set_rollback(True)
    connection.close()  # the children are forks of this process
    fork = multiprocessing.get_context("fork")
    ready = fork.Barrier(slots + 1)
    shares = [[call for vm in bodies[place::slots] for call in vm] for place in range(slots)]
    children = [fork.Process(target=_send, args=(share, access, ready)) for share in shares]
    for child in children:
        child.start()
    ready.wait()
    began = time.monotonic()
    for child in children:
        child.join()
        assert child.exitcode == 0, "a bare client failed"
    return time.monotonic() - began


def _bodies(vm: VirtualMachine) -> list[tuple[str, bytes]]:
    wanted = desired.vm_objects(selectors.facts(vm))
    held = (Held(0, item.ref, Owner("vm", vm.pk), uuid.uuid4()) for item in wanted)
    made = (stamped(item, mine, status.installation()) for item, mine in zip(wanted, held, strict=True))
    return [(item.ref.path, orjson.dumps(body)) for item, body in zip(wanted, made, strict=True)]


def _send(
    calls: list[tuple[str, bytes]], access: kubeconfig.Access, ready: "multiprocessing.synchronize.Barrier"
) -> None:
    http = urllib3.PoolManager(ca_cert_data=access.ca)
    headers = APPLY | {"Authorization": f"Bearer {access.token}"}
    ready.wait()
    for path, body in calls:
        answer = http.request("PATCH", f"{access.server}{path}?fieldManager=ovim", body=body, headers=headers)
        assert answer.status == 201, answer.data
    os._exit(0)
