"""Two tenants with a row in every table that the second line guards."""

import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models import Model
from django.utils import timezone

from clusters.models import Happening, Placement, WorkItem
from core.ids import uuid7
from core.models import (
    AnsweredRequest,
    AuditCheckpoint,
    AuditEntry,
    AuditRetention,
    AuditSeal,
    Mail,
    SavedView,
    SupportAccess,
)
from tenancy.device_rows import DeviceSignIn
from tenancy.models import (
    AccessToken,
    Group,
    Invitation,
    Membership,
    Organization,
    OrganizationLogo,
    PasswordReset,
    Role,
    RoleBinding,
    RoleName,
    SecondFactor,
    User,
)
from tenancy.oidc.rows import GroupRule, Identity, IdentityProvider, ProviderSession
from tests.cast import make_user, session_of
from tests.domain import a_vdc, a_vm, an_item, an_organization
from vdcs.models import NamespaceAccess, QuotaClaim, QuotaScope, Vdc
from vms.models import Disk

PEOPLE = {"acme": "alice", "globex": "charlie"}


def fill(name: str) -> dict[type[Model], Model]:
    """An organization with everything: model → one row of its own."""
    organization = an_organization(name)
    vdc = a_vdc("dev", organization=organization)
    item = an_item("jammy", organization=organization)
    user = make_user(PEOPLE[name], RoleName.ORG_ADMIN, organization=organization)
    vm = a_vm(vdc, "web", catalog_item=item)
    made: tuple[Any, ...] = (organization, vdc, vm, user, item, item.catalog, item.image, session_of(user))
    return {
        **{type(row): row for row in made},
        Disk: Disk.objects.filter(vm=vm)[0],
        QuotaScope: QuotaScope.objects.get(vdc=vdc),
        QuotaClaim: QuotaClaim.objects.filter(owner_id=vm.pk)[0],
        Placement: Placement.objects.get(owner_id=organization.pk),
        WorkItem: WorkItem.objects.get(object_id=vm.pk),
        RoleBinding: RoleBinding.objects.get(user=user),
        **_of(user, organization, vdc),
    }


def _of(user: User, organization: Organization, vdc: Vdc) -> dict[type[Model], Model]:
    """What no service has made yet."""
    now = timezone.now()
    entry = AuditEntry.objects.create(actor_name="test", action="test", organization_id=organization.pk)
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_auditcheckpoint (chain, number, digest, removed, before) VALUES (%s, 1, 'd', 1, now())",
            [organization.pk],
        )
    made: list[Model] = [
        Happening.objects.create(
            owner_kind="vm", owner_id=uuid7(), organization_id=organization.pk, at=now, last_at=now,
            what=Happening.What.EVENT, code="test",
        ),
        AuditSeal.objects.create(chain=organization.pk, number=9, entry_id=entry.pk, version=1, digest="d"),
        AuditRetention.objects.create(chain=organization.pk, days=100),
        SupportAccess.objects.create(session_id=uuid7(), organization_id=organization.pk),
        SavedView.objects.create(owner_id=user.pk, listing="vms", name="mine"),
        AnsweredRequest.objects.create(
            digest=secrets.token_hex(32), user_id=user.pk, route="r", key="k", body_hash="", status=200, body=b""
        ),
        SecondFactor.objects.create(user=user, secret=b"s"),
        Mail.objects.create(kind="k", recipient="x@example.org", subject="s", body=b"", organization_id=organization.pk,
                            good_until=now),
        Role.objects.create(organization=organization, name="own", rights=[]),
        group := Group.objects.create(organization=organization, name="team"),
        Membership.objects.create(group=group, user=user),
        Invitation.objects.create(organization=organization, email="y@example.org", role=RoleName.ORG_ADMIN,
                                  inviter_name="x", digest=secrets.token_hex(32), expires_at=now),
        PasswordReset.objects.create(asked_for="x", user=user, expires_at=now),
        DeviceSignIn.objects.create(device_digest=secrets.token_hex(32), user_digest=secrets.token_hex(32), host="laptop",
                                    user=user, expires_at=now),
        OrganizationLogo.objects.create(organization=organization, media_type="image/png", data=b"", digest="d",
                                        width=1, height=1),
        NamespaceAccess.objects.get(vdc=vdc),
        provider := IdentityProvider.objects.create(
            organization=organization, name="sso", display_name="SSO", issuer=f"https://{organization.name}.example.org",
            client_id="ovim",
        ),
        GroupRule.objects.create(provider=provider, position=1, value="x", role="user", organization=organization),
        identity := Identity.objects.create(provider=provider, issuer=provider.issuer, subject="s", user=user),
        ProviderSession.objects.create(identity=identity, id_token=b""),
        AccessToken.objects.create(user=user, name="t", digest=secrets.token_hex(32), expires_at=now + timedelta(1)),
    ]  # fmt: skip
    return {
        AuditEntry: entry,
        AuditCheckpoint: AuditCheckpoint.objects.get(chain=organization.pk),
        **{type(row): row for row in made},
    }


@pytest.fixture
def acme_rows(live_db: None) -> dict[type[Model], Any]:
    return fill("acme")


@pytest.fixture
def globex_rows(live_db: None) -> dict[type[Model], Any]:
    return fill("globex")
