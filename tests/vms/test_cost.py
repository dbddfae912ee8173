"""What a look at a VM costs the database: `make bench` measures the time, this keeps the number of statements."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters import queue, reconcile
from clusters.models import Reconciled, WorkItem
from tests.vms.conftest import Site
from vdcs.models import Vdc

FIRST, UNCHANGED = 21, 12


def statements(site: Site, row: Reconciled) -> int:
    (lease,) = [lease for lease in queue.claim(site.cluster.pk, limit=50) if lease.object_id == row.pk]
    with CaptureQueriesContext(connection) as captured:
        reconcile.run(lease)
    return len([query for query in captured if query["sql"] not in ("BEGIN", "COMMIT")])


def test_a_look_at_a_vm_takes_a_bounded_number_of_statements(site: Site):
    site.until(lambda: Vdc.objects.get(name="dev").ready_at)
    site.until(lambda: not WorkItem.objects.exists())
    vms = [site.vm(name) for name in ("web", "db")]
    assert statements(site, vms[0]) <= FIRST
    assert site.get("VirtualMachine", "web") is not None
    WorkItem.objects.all().update(lease_token=None, leased_until=None)
    assert statements(site, vms[1]) <= FIRST
    site.until(lambda: not WorkItem.objects.exists())
    queue.request(vms[0])
    assert statements(site, vms[0]) <= UNCHANGED
