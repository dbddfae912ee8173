"""A tenant with machines in every state: what the pages are looked at with."""

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from clusters import kinds, queue, status
from clusters.conditions import Condition, Outcome, false, true
from clusters.models import WorkItem
from clusters.steps import Finish
from tests.cast import actor_of, make_person
from tests.domain import a_vdc, a_vm, an_item, an_organization
from vms.models import VirtualMachine

IMPORTING = "Importing"


def shows(vm: VirtualMachine, phase: str, *conditions: Condition, **fields: Any) -> None:
    """The cluster shows this of the machine: recorded and told as the reconciler does it, under a lease."""
    token = uuid.uuid4()
    with transaction.atomic():
        queue.request(vm)
        items = WorkItem.objects.filter(kind=kinds.of(vm).name, object_id=vm.pk)
        items.update(lease_token=token, leased_until=now() + timedelta(minutes=1))
        item = items.get()
    vm.refresh_from_db()
    lease = queue.Lease(item.kind, vm.pk, item.cluster_id, item.requested_seq, item.attempts, token)
    (act,) = status.finish([Finish(lease, vm, Outcome(phase, conditions, settled=True, fields=fields))])
    assert act == "done"


def runs(vm: VirtualMachine, address: str) -> None:
    conditions = (
        true("Ready", "Running"),
        true("DiskReady", "Imported"),
        true("Scheduled", "Scheduled", "On node n1."),
    )
    shows(vm, "Running", *conditions, ip_addresses=[address], node="n1", guest_os="Ubuntu 24.04 LTS", progress="")


def a_tenant() -> dict[str, Any]:
    organization = an_organization("acme", cpu=64, memory_mib=262144, disk_gib=2000, vms=50)
    limits = {"cpu": 16, "memory_mib": 32768, "disk_gib": 400, "vms": 12, "running_vms": 12}
    dev = a_vdc("dev", organization=organization, limits=limits)
    prod = a_vdc("prod", organization=organization, limits={"cpu": 32, "memory_mib": 65536, "disk_gib": 800, "vms": 20})
    items = [an_item("jammy", display_name="Ubuntu 24.04", version="v12"), an_item("fedora", display_name="Fedora 43")]
    an_item("rhel", display_name="RHEL 9.6", cpu=2, memory_mib=4096, disk_gib=20, description="For what must be RHEL.")
    alice = actor_of(make_person("alice"))
    vms = [a_vm(dev if n < 6 else prod, name, actor=alice, catalog_item=items[n % 2]) for n, name in enumerate(NAMES)]
    for n, vm in enumerate(vms[:4]):
        runs(vm, f"10.20.0.{11 + n}")
    shows(
        vms[4],
        "Provisioning",
        false("Ready", "Provisioning", "root: 42.10%"),
        false("DiskReady", IMPORTING, "root: 42.10%"),
        progress="42.10%",
    )
    shows(vms[5], "Failed", false("Ready", "ImportFailed", BROKEN), true("ImportFailed", "ImportFailed", BROKEN))
    shows(vms[6], "Stopped", true("Ready", "Stopped"), true("DiskReady", "Imported"))
    shows(vms[7], "Starting", false("Ready", "Starting", "It has been told to start."))
    shows(vms[8], "Paused", true("Ready", "Paused"))
    return {"dev": dev, "prod": prod, "vms": vms, "items": items}


NAMES = (
    "web-01", "web-02", "pg-primary", "a-name-that-is-as-long-as-a-dns-label-may-be-which-is-63-signs",
    "web-03", "build-runner-7", "legacy-erp", "build-runner-8", "ml-notebook", "jump",
)  # fmt: skip
BROKEN = "root: Unable to process data: the server answered 404 Not Found for https://images.example.org/jammy.qcow2"
