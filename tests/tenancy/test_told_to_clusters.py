"""Each verb that changes what somebody may do has the clusters told where he is bound, and there alone."""

from collections.abc import Callable
from typing import Any

import pytest

from clusters.models import Cluster, WorkItem
from core.actor import system_actor
from tenancy.models import Organization, RoleName, SecondFactor, User
from tenancy.oidc.rows import IdentityProvider
from tenancy.services import arrivals, identity_providers, second_factor
from tenancy.services.bindings import bind_role, unbind_role
from tenancy.services.groups import add_member, create_group, delete_group, remove_member
from tenancy.services.organizations import edit_organization
from tenancy.services.roles import create_role, edit_role
from tenancy.services.users import delete_user, disable_user, edit_user, enable_user, set_password
from tests.cast import actor_of, make_organization, make_person, make_placement, make_user, make_vdc
from tests.tenancy.test_second_factor import enrol
from vdcs import kubectl
from vdcs.models import NamespaceAccess

pytestmark = pytest.mark.django_db
SYSTEM = system_actor("test")


@pytest.fixture
def bob(cluster) -> User:
    """Of acme, a user in its VDC dev; another organization stands beside."""
    bob = make_person("bob")
    for name in ("acme", "globex"):
        organization = make_organization(name)
        vdc = make_vdc(organization, "dev" if name == "acme" else "main")
        place = {"organization": organization, "cluster": cluster}
        NamespaceAccess.objects.create(vdc=vdc, **place)
        NamespaceAccess.objects.create(placement=make_placement(organization), **place)
    return bob


def told(act: Callable[[], object]) -> set[str]:
    """The namespaces that were told."""
    before = dict(NamespaceAccess.objects.values_list("pk", "generation"))
    WorkItem.objects.all().delete()
    act()
    rows = NamespaceAccess.objects.select_related("vdc", "organization")
    changed = [row for row in rows if row.generation > before[row.pk]]
    requested = set(WorkItem.objects.filter(kind="namespace-access").values_list("object_id", flat=True))
    assert {row.pk for row in changed} == requested
    return {row.vdc.name if row.vdc else row.organization.name for row in changed}


def test_roles_and_groups(bob):
    acme = Organization.objects.get(name="acme")
    dev: dict[str, Any] = {"organization": acme, "vdc_id": acme.vdcs.get().pk}
    assert told(lambda: bind_role(actor=SYSTEM, user=bob, role=RoleName.VDC_ADMIN, **dev)) == {"dev"}
    made = []
    assert told(lambda: made.append(bind_role(actor=SYSTEM, user=bob, role=RoleName.ORG_ADMIN, organization=acme))) == {
        "acme", "dev"
    }  # fmt: skip
    make_user("alice", RoleName.ORG_ADMIN, organization=acme)
    assert told(lambda: unbind_role(actor=SYSTEM, binding=made[0])) == {"acme", "dev"}
    role = create_role(actor=SYSTEM, organization=acme, name="looker", rights=["vdc.view"])
    assert told(lambda: edit_role(actor=SYSTEM, role=role, changes={"rights": ["vm.view"]})) == {"acme", "dev"}
    group = create_group(actor=SYSTEM, organization=acme, name="ops")
    assert told(lambda: add_member(actor=SYSTEM, group=group, user=bob)) == set(), "it has no role"
    assert told(lambda: bind_role(actor=SYSTEM, group=group, role=role, organization=acme)) == {"acme", "dev"}
    assert told(lambda: remove_member(actor=SYSTEM, group=group, user=bob)) == {"acme", "dev"}
    assert told(lambda: delete_group(actor=SYSTEM, group=group)) == {"acme", "dev"}


def test_accounts(bob):
    assert told(lambda: edit_user(actor=SYSTEM, user=bob, changes={"full_name": "Bob"})) == set()
    assert told(lambda: edit_user(actor=SYSTEM, user=bob, changes={"email": "b@acme.example"})) == {"acme", "dev"}
    assert told(lambda: disable_user(actor=SYSTEM, user=bob)) == {"acme", "dev"}
    assert told(lambda: enable_user(actor=SYSTEM, user=bob)) == {"acme", "dev"}
    word = "a long enough password"
    assert told(lambda: set_password(actor=SYSTEM, user=bob, password=word)) == set()
    given: dict[str, Any] = {"password": word + "!", "must_change_password": True}
    assert told(lambda: set_password(actor=SYSTEM, user=bob, **given)) == {"acme", "dev"}
    assert told(lambda: delete_user(actor=SYSTEM, user=bob)) == {"acme", "dev"}


def test_organizations(bob):
    acme = Organization.objects.get(name="acme")
    edit: dict[str, Any] = {"actor": SYSTEM, "organization": acme}
    assert told(lambda: edit_organization(**edit, changes={"description": "x"})) == set()
    assert told(lambda: edit_organization(**edit, changes={"second_factor_required": True})) == {"acme", "dev"}
    globex = Organization.objects.get(name="globex")
    bind_role(actor=SYSTEM, user=bob, role=RoleName.USER, organization=globex)
    assert told(lambda: edit_organization(**edit, changes={"enabled": False})) == {"acme", "dev", "globex", "main"}


def test_second_factors(bob, api):
    assert told(lambda: enrol(api("bob"))) == {"acme", "dev"}
    assert SecondFactor.objects.filter(user=bob, confirmed_at__isnull=False).exists()
    assert told(lambda: second_factor.reset(actor=SYSTEM, user=bob)) == {"acme", "dev"}


def test_identities(bob):
    made: dict[str, Any] = {"name": "idp", "display_name": "IdP", "issuer": "https://idp.example", "client_id": "ovim"}
    provider = IdentityProvider.objects.create(**made)
    actor = actor_of(bob)
    identity = []

    def link() -> None:
        identity.append(arrivals.link(actor=actor, provider=provider, issuer=provider.issuer, subject="b-1"))

    assert told(link) == {"acme", "dev"}
    access = NamespaceAccess.objects.get(vdc__name="dev")
    Cluster.objects.update(tenant_access=True, oidc_username_claim="subject")
    access.refresh_from_db()
    assert kubectl.facts(access).users == {"ovim:user": ["https://idp.example#b-1"]}
    edit: dict[str, Any] = {"actor": SYSTEM, "provider": provider}
    assert told(lambda: identity_providers.edit_provider(**edit, changes={"enabled": False})) == {"acme", "dev"}
    assert kubectl.facts(access).left_out == (("bob", "is not known from the identity provider yet"),)
    assert told(lambda: identity_providers.edit_provider(**edit, changes={"enabled": True})) == {"acme", "dev"}
    assert told(lambda: arrivals.unlink(actor=actor, identity_id=identity[0].pk)) == {"acme", "dev"}
    link()
    assert told(lambda: identity_providers.delete_provider(actor=SYSTEM, provider=provider)) == {"acme", "dev"}
