"""Builders for tests of VDCs, catalogs and VMs: rows as the services make them."""

from typing import Any

from catalogs.models import Catalog, CatalogItem, Image
from clusters import namespaces
from core.actor import Actor, system_actor
from tenancy.models import Organization
from tests.cast import make_cluster, make_organization
from vdcs.models import Vdc
from vdcs.services import create_vdc, set_organization_quota
from vms.models import VirtualMachine
from vms.services import create_vm

OVIM = system_actor("test")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1234567890abcdefghijklmnopqrstuvwxyz012345 alice"


def an_organization(name: str = "acme", **quota: int) -> Organization:
    """With its namespace's name, and a quota if any."""
    cluster = make_cluster()
    organization = make_organization(name)
    namespaces.allot(cluster, name, "organization", organization.pk)
    if quota:
        set_organization_quota(actor=OVIM, organization=organization, limits=quota)
    return organization


def a_vdc(name: str = "dev", *, organization: Organization | None = None, **more: Any) -> Vdc:
    """Through the service, so with a quota's row."""
    return create_vdc(actor=OVIM, organization=organization or an_organization(), name=name, **more)


def an_item(name: str = "jammy", *, organization: Organization | None = None, **more: Any) -> CatalogItem:
    catalog, _ = Catalog.objects.get_or_create(
        organization=organization, name="images", defaults={"display_name": "Images"}
    )
    image = Image.objects.create(
        catalog=catalog, name=name, url=f"https://images.example.org/{name}.qcow2", min_disk_gib=2
    )
    return CatalogItem.objects.create(
        catalog=catalog,
        name=name,
        image=image,
        **{"display_name": name.title(), "cpu": 1, "memory_mib": 1024, "disk_gib": 4} | more,
    )


def a_vm(vdc: Vdc, name: str = "web", *, actor: Actor = OVIM, **more: Any) -> VirtualMachine:
    if "catalog_item" not in more and "image_url" not in more:
        item = CatalogItem.objects.filter(name="jammy").first()
        more["catalog_item"] = item or an_item()
    return create_vm(actor=actor, vdc=vdc, name=name, **more)
