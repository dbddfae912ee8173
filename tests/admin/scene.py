"""One row of every model, so that every page of the admin has something to show."""

import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.test import Client

from catalogs.models import Catalog, CatalogItem, Image, ImageProbe
from clusters.models import Happening, InventoryItem, NamespaceAllotment, ObservedObject, Orphan, WorkItem
from core import audit, sealing
from core.actor import system_actor
from core.models import AnsweredRequest, AuditRetention, AuditStream, Mail, SavedView, SupportAccess
from tenancy.device_rows import DeviceSignIn
from tenancy.middleware import COOKIE_KEY
from tenancy.models import (
    AccessToken,
    FailedSignIns,
    Group,
    Invitation,
    Membership,
    OrganizationLogo,
    PasswordReset,
    Role,
    RoleBinding,
    SecondFactor,
    Session,
    SigningKey,
)
from tenancy.oidc.rows import GroupRule, Identity, IdentityProvider, ProviderSession, SpentToken
from tests.cast import make_organization, make_person, make_vdc, session_of
from vdcs.models import NamespaceAccess, QuotaClaim, QuotaScope, Vdc
from vms.models import Disk, VirtualMachine

SECRET = "hunter2-is-no-password"


def signed_in(name: str) -> Client:
    """With the portal's cookie, as the sign-in page leaves it."""
    client = Client(raise_request_exception=False)
    session = client.session
    session[COOKIE_KEY] = str(session_of(make_person(name)).pk)
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client


def session_row(client: Client) -> Session:
    return Session.objects.get(pk=client.session[COOKIE_KEY])


def make_vm(vdc: Vdc, name: str, **fields: Any) -> VirtualMachine:
    vm = VirtualMachine.objects.create(
        organization=vdc.organization, vdc=vdc, name=name, cpu=1, memory_mib=1024, user_data=SECRET, **fields
    )
    disk = Disk.objects.create(vdc=vdc, vm=vm, name=f"{name}-disk-0", source="blank", size_gib=10)
    InventoryItem.objects.create(
        owner_kind="vm", owner_id=vm.pk, data_of_kind="disk", data_of_id=disk.pk, cluster=vdc.cluster,
        group="cdi.kubevirt.io", kind="DataVolume", namespace=vdc.namespace, name=disk.name, uid=uuid.uuid4(),
    )  # fmt: skip
    WorkItem.objects.create(kind="vm", object_id=vm.pk, cluster=vdc.cluster, tenant=vdc.organization_id)
    return vm


@transaction.atomic
def one_of_everything() -> VirtualMachine:
    """The VM web in acme/dev, and what belongs to it. The cast's people are there, too."""
    make_person("vera")
    dev = make_vdc(make_organization("acme"), "dev")
    vm = make_vm(dev, "web", owner=make_person("bob"))
    vm.refresh_from_db()
    scope = QuotaScope.objects.create(organization=dev.organization, vdc=dev, limits={"cpu": 4})
    QuotaClaim.objects.create(scope=scope, owner_kind="vm", owner_id=vm.pk, resource="cpu", allocated=1)
    NamespaceAllotment.objects.create(cluster=dev.cluster, name=dev.namespace, owner_kind="vdc", owner_id=dev.pk)
    ObservedObject.objects.create(
        cluster=dev.cluster, group="kubevirt.io", kind="VirtualMachine", namespace=dev.namespace, name="web",
        uid=uuid.uuid4(), resource_version=7,
        body={"kind": "VirtualMachine", "spec": {"volumes": [{"cloudInitNoCloud": {"userData": SECRET}}], "running": True}},
    )  # fmt: skip
    NamespaceAccess.objects.create(organization=dev.organization, cluster=dev.cluster, vdc=dev)
    Orphan.objects.create(cluster=dev.cluster, kind="ConfigMap", namespace=dev.namespace, name="left", uid=uuid.uuid4())
    Happening.objects.create(
        owner_kind="vm", owner_id=vm.pk, organization_id=vm.organization_id, at=vm.created_at, last_at=vm.created_at,
        what="event", code="Started",
    )  # fmt: skip
    catalog = Catalog.objects.create(name="base", display_name="Base")
    image = Image.objects.create(catalog=catalog, name="debian", url="https://images.test/debian", min_disk_gib=2)
    CatalogItem.objects.create(catalog=catalog, name="debian", display_name="Debian", image=image, user_data=SECRET)
    ImageProbe.objects.create(disk_id=vm.disks.get().pk, owner_kind="vm", owner_id=vm.pk, url=image.url)
    FailedSignIns.objects.create(key="account:bob")
    SavedView.objects.create(owner_id=make_person("bob").pk, listing="vms", name="mine", query="q=web")
    AnsweredRequest.objects.create(
        digest="0" * 64,
        user_id=make_person("bob").pk,
        route="vms",
        key="k",
        body_hash="h",
        status=201,
        body=SECRET.encode(),
    )
    audit.record(system_actor("test"), "vm.boot", vm)
    sealing.seal_all()
    bob = make_person("bob")
    AccessToken.objects.create(user=bob, name="ci", digest="d" * 64, expires_at=vm.created_at)
    SecondFactor.objects.create(user=bob, secret=SECRET.encode())
    role = Role.objects.create(organization_id=vm.organization_id, name="operator", rights=["vm.view"])
    Membership.objects.create(group=Group.objects.create(name="ops", organization_id=vm.organization_id), user=bob)
    at = {"organization_id": vm.organization_id, "vdc_id": vm.vdc_id, "vm_id": vm.pk}
    RoleBinding.objects.create(user=bob, custom=role, **at)
    provider = IdentityProvider.objects.create(
        organization=dev.organization, name="sso", issuer="https://sso.example.org", client_secret=SECRET.encode()
    )
    GroupRule.objects.create(provider=provider, position=0, value="staff", role="user", organization=dev.organization)
    identity = Identity.objects.create(provider=provider, issuer=provider.issuer, subject="s-1", user=bob)
    ProviderSession.objects.create(identity=identity, session=session_of(bob), id_token=SECRET.encode())
    SpentToken.objects.create(digest="e" * 64, expires_at=vm.created_at)
    SigningKey.objects.create(kid="k" * 43, private=SECRET.encode(), public="PEM")
    OrganizationLogo.objects.create(
        organization=vm.organization, media_type="image/png", data=SECRET.encode(), digest="d" * 64, width=1, height=1
    )
    link = {"digest": SECRET, "expires_at": vm.created_at}
    Mail.objects.create(kind="test", recipient="eve@example.org", body=SECRET.encode(), good_until=vm.created_at)
    DeviceSignIn.objects.create(
        device_digest=SECRET, user_digest=SECRET, host="laptop", expires_at=vm.created_at, user=bob
    )
    PasswordReset.objects.create(user=bob, asked_for="bob", **link)
    Invitation.objects.create(organization=vm.organization, email="eve@example.org", role="user", **link)
    AuditRetention.objects.create(chain=vm.organization_id, days=90)
    AuditStream.objects.create(target="f" * 64)
    SupportAccess.objects.create(session_id=uuid.uuid4(), organization_id=vm.organization_id)
    audit.record(system_actor("test"), "vm.create", vm, after={"name": "web", "user_data": SECRET})
    return vm
