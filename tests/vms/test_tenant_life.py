"""An organization on a cluster: that it is off, or goes, shows there; and when its time is over, all of it is gone."""

from datetime import timedelta

import pytest
from django.utils import timezone

from catalogs.models import Catalog
from clusters.models import Placement
from core.actor import system_actor
from tenancy.models import Organization, User
from tenancy.services import lifecycle, organizations
from tenancy.tasks import delete_due
from tests.vms.conftest import Site
from vdcs.models import Vdc
from vms.models import VirtualMachine

ROOT = system_actor("test")


def condition(type_):
    (placement,) = Placement.objects.filter(owner_kind="organization")
    return next((item for item in placement.conditions if item["type"] == type_), None)


def mirror(site: Site):
    return site.live("Organization", "acme-corp", "")


def told(site: Site, type_):
    """What the custom resource says of a condition."""
    found = [item for item in mirror(site).get("status", {}).get("conditions", []) if item["type"] == type_]
    return found[0]["status"] if found else None


@pytest.fixture
def acme(site: Site):
    return Organization.objects.get(name="acme-corp")


def test_what_is_decided_shows_in_the_cluster(site: Site, acme):
    changes = {"technical_contact_name": "Tess", "technical_contact_email": "tess@example.org"}
    site.until(lambda: site.get("Organization", "acme-corp", ""))
    organizations.edit_organization(actor=ROOT, organization=acme, changes=changes)
    site.until(lambda: "technicalContact" in mirror(site)["spec"])
    spec = mirror(site)["spec"]
    assert spec["technicalContact"] == {"name": "Tess", "email": "tess@example.org"}
    assert ("billingContact" in spec, spec["isEnabled"]) == (False, True)
    assert condition("Enabled") is None

    lifecycle.disable(actor=ROOT, organization=acme)
    site.until(lambda: told(site, "Enabled") == "False")
    assert condition("Enabled")["reason"] == "Disabled"
    assert mirror(site)["spec"]["isEnabled"] is False
    assert condition("Ready")["status"] == "True"

    lifecycle.enable(actor=ROOT, organization=acme)
    lifecycle.schedule_deletion(actor=ROOT, organization=acme, confirm="acme-corp")
    site.until(lambda: told(site, "DeletionPending") == "True")
    assert mirror(site)["spec"]["deletionDueAt"].endswith("Z")
    lifecycle.undo_deletion(actor=ROOT, organization=acme)
    site.until(lambda: told(site, "DeletionPending") is None and told(site, "Enabled") is None)
    assert "deletionDueAt" not in mirror(site)["spec"]


def test_when_its_time_is_over_all_of_it_goes(site: Site, acme):
    vm = site.vm()
    site.until(lambda: VirtualMachine.objects.get(pk=vm.pk).phase == "Running")
    Catalog.objects.create(organization=acme, name="own", display_name="Own")
    lifecycle.schedule_deletion(actor=ROOT, organization=acme, confirm="acme-corp")
    site.until(lambda: VirtualMachine.objects.get(pk=vm.pk).phase == "Stopped")
    Organization.objects.update(deletion_due_at=timezone.now() - timedelta(seconds=1))

    def gone():
        delete_due()  # as beat does it
        return not Organization.objects.filter(pk=acme.pk).exists()

    site.until(gone, seconds=40)
    assert not Vdc.objects.exists()
    assert not VirtualMachine.objects.exists()
    assert not Catalog.objects.filter(organization_id=acme.pk).exists()
    assert not User.objects.filter(organization_id=acme.pk).exists()
    for name in ("acme-corp", "acme-corp-dev", "acme-corp-prod"):
        assert site.get("Namespace", name, "") is None
    assert site.get("Organization", "acme-corp", "") is None
