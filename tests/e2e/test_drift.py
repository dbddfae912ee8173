"""Pages of drift, of what OVIM did not make, and of orphans in a real browser: readable on any screen, for everybody."""

from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from clusters.models import Orphan
from tests.cli.test_drift import applied
from tests.cli.test_foreign import a_foreign_machine
from tests.domain import a_vdc, a_vm
from tests.e2e.conftest import SHOTS
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow
SINCE = "2026-01-01T00:00:00+00:00"
DRIFTED = [{"type": "Drifted", "status": "True", "reason": "Rival", "message": "cores by kubectl", "since": SINCE}]


def test_on_any_screen(visit, live_db):
    vdc = a_vdc(limits={"cpu": 8, "memory_mib": 8192, "disk_gib": 100, "vms": 5})
    vm = a_vm(vdc, "web")
    applied(vm, cpu={"cores": 7})
    VirtualMachine.objects.filter(pk=vm.pk).update(phase="Failed", conditions=DRIFTED)
    a_foreign_machine(vdc)
    Orphan.objects.create(
        cluster=vdc.cluster,
        group="cdi.kubevirt.io",
        kind="DataVolume",
        namespace=vdc.namespace,
        name="left",
        uid=uuid4(),
    )
    pages = {
        "drift": "/drift/",
        "drift-vm": f"/vms/{vm.pk}/drift/",
        "unmanaged": f"/vdcs/{vdc.pk}/unmanaged/",
        "orphans": f"/clusters/{vdc.cluster_id}/orphans/",
    }
    for width in (360, 1280):
        page = visit("root", viewport={"width": width, "height": 800}).page()
        for name, address in pages.items():
            page.goto(address)
            found = Axe().run(page)
            assert not found.violations_count, (name, found.generate_report())
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (name, width)
            page.screenshot(path=SHOTS / f"{name}-{width}.png", full_page=True)


def test_from_the_list_to_an_order(visit, live_db):
    vm = a_vm(a_vdc(), "web")
    applied(vm, cpu={"cores": 7})
    VirtualMachine.objects.filter(pk=vm.pk).update(phase="Failed", conditions=DRIFTED)
    page = visit("alice", java_script_enabled=False).page()
    page.goto("/drift/")
    page.get_by_role("main").get_by_role("link", name="web").click()
    expect(page.get_by_role("main")).to_contain_text("spec.template.spec.domain.cpu.cores")
    page.get_by_role("button", name="Repair: make it as intended").click()
    expect(page.get_by_role("main")).to_contain_text("web")
    vm.refresh_from_db()
    assert vm.order == "repair"
