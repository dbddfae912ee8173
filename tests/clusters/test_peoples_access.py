"""People's roles hold in the cluster, for kubectl: given, taken and kept as in OVIM, and nobody else's business.

Everything by OVIM's own account, as deploy/account makes it: what it may not bind, the cluster refuses.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from clusters import heal
from clusters.client import Client
from clusters.errors import KubeError
from clusters.fleet import edit_cluster
from clusters.models import Cluster, InventoryItem, WorkItem
from clusters.needs import TENANT_ROLES
from core.errors import Invalid
from tenancy.models import Organization, RoleBinding, RoleName, User
from tenancy.services.bindings import bind_role, unbind_role
from tenancy.services.groups import add_member, create_group, delete_group, edit_group, remove_member
from tenancy.services.organizations import delete_organization, edit_organization
from tenancy.services.roles import create_role, edit_role
from tenancy.services.users import create_user, delete_user, disable_user, edit_user, enable_user, set_password
from tests.clusters.fleet import SYSTEM, Fleet
from tests.clusters.kubectl import MERGE, RBAC, Kubectl, bindings
from vdcs.models import Enforcement, NamespaceAccess, Vdc
from vdcs.services import delete_vdc, edit_vdc, set_organization_quota

ORDERS = "/apis/subresources.kubevirt.io/v1/namespaces/acme-dev/virtualmachines/web"
PASSWORD = "a long enough password"


@dataclass
class Scene:
    """Acme with two VDCs on a cluster that takes people's access, under the names `oidc:<user name>`."""

    fleet: Fleet
    east: Cluster
    dev: Vdc
    prod: Vdc
    bound: dict[str, RoleBinding] = field(default_factory=dict)

    @property
    def acme(self) -> Organization:
        return self.dev.organization

    def bind(self, name: str, role: RoleName, vdc: Vdc | None = None, organization: Organization | None = None) -> User:
        home = organization or self.acme
        user = User.objects.filter(username=name).first() or create_user(
            actor=SYSTEM, username=name, password=PASSWORD, organization=home, email=f"{name}@acme.example"
        )
        self.bound[name] = bind_role(
            actor=SYSTEM, user=user, role=role, organization=home, vdc_id=vdc.pk if vdc else None
        )
        return user

    def cast(self) -> None:
        """alice administers acme, vera and bob are in dev."""
        self.bind("alice", RoleName.ORG_ADMIN)
        self.bind("vera", RoleName.VDC_ADMIN, self.dev)
        self.bind("bob", RoleName.USER, self.dev)

    def kubectl(self, name: str) -> Kubectl:
        return Kubectl(self.fleet.east.sandbox, f"oidc:{name}")

    def bindings(self, namespace: str = "acme-dev") -> dict[str, list[str]]:
        return bindings(self.fleet.east.sandbox, namespace)

    def become(self, wanted: dict[str, list[str]], namespace: str = "acme-dev") -> None:
        """They have become these, and stay so."""
        try:
            self.fleet.until(lambda: self.bindings(namespace) == wanted, 15)
        except AssertionError:
            assert self.bindings(namespace) == wanted
        self.fleet.turn()
        assert self.bindings(namespace) == wanted


@pytest.fixture
def scene(fleet: Fleet) -> Scene:
    east = fleet.register(fleet.east)
    edit_cluster(actor=SYSTEM, cluster=east, changes={"tenant_access": True, "oidc_username_prefix": "oidc:"})
    found = Scene(fleet, east, fleet.vdc("dev", east), fleet.vdc("prod", east))
    fleet.until(lambda: {fleet.phase(found.dev), fleet.phase(found.prod)} == {"Active"})
    return found


ADMINS = {"ovim-org-admin": ["oidc:alice"], "ovim-vm-start": ["oidc:alice"]}
EVERYBODY = {
    "ovim-org-admin": ["oidc:alice"],
    "ovim-user": ["oidc:bob"],
    "ovim-vdc-admin": ["oidc:vera"],
    "ovim-vm-start": ["oidc:alice", "oidc:vera"],
}


def test_roles_hold_where_they_are_bound_and_nowhere_else(scene: Scene) -> None:
    scene.bind("charlie", RoleName.ORG_ADMIN, organization=scene.fleet.organization("globex"))
    scene.cast()
    scene.become(EVERYBODY)
    scene.become(ADMINS, "acme-prod")
    scene.become({"ovim-org-admin": ["oidc:alice"]}, "acme")
    scene.become({"ovim-org-admin": ["oidc:charlie"]}, "globex")
    assert scene.kubectl("alice").sees("acme-dev")
    assert scene.kubectl("alice").sees("acme-prod")
    assert scene.kubectl("alice").sees("acme", "apis/ovim.io/v1/{}/virtualdatacenters")
    assert scene.kubectl("vera").sees("acme-dev")
    assert not scene.kubectl("vera").sees("acme-prod")
    assert not scene.kubectl("charlie").sees("acme-dev")
    assert scene.kubectl("bob").sees("acme-dev", "api/v1/{}/resourcequotas")
    assert not scene.kubectl("bob").sees("acme-dev"), "a namespace's role can't tell his machines from others'"
    assert not Kubectl(scene.fleet.east.sandbox, "alice").sees("acme-dev"), "the name without the prefix is another's"
    access = scene.dev.access
    access.refresh_from_db()
    assert (access.phase, access.people["ovim:vm-start"]) == ("Active", 2)
    before = scene.fleet.east.sandbox.request("GET", f"{RBAC}/namespaces/acme-dev/rolebindings")["items"]
    scene.bind("alice", RoleName.VDC_ADMIN, scene.dev)  # she has more already: nothing is written
    scene.fleet.until(lambda: scene.fleet.phase(access) == "Active" and access.observed_generation == access.generation)
    assert scene.fleet.east.sandbox.request("GET", f"{RBAC}/namespaces/acme-dev/rolebindings")["items"] == before


def test_an_admin_works_the_power_and_changes_no_guard(scene: Scene) -> None:
    scene.bind("alice", RoleName.ORG_ADMIN)
    edit_vdc(actor=SYSTEM, vdc=scene.dev, changes={"limits": {"cpu": 4, "vms": 3}})
    vm = scene.fleet.vm("web", scene.dev)
    scene.fleet.until(lambda: scene.fleet.phase(vm) == "Running" and "ovim-vm-start" in scene.bindings())
    alice = scene.kubectl("alice")
    assert alice.status("PUT", f"{ORDERS}/stop", {}) == 202
    scene.fleet.until(lambda: scene.fleet.phase(vm) == "Stopped")
    assert alice.status("PUT", f"{ORDERS}/start", {}) == 202
    scene.fleet.until(lambda: scene.fleet.phase(vm) == "Running")
    space = "namespaces/acme-dev"
    for path in (
        f"/api/v1/{space}/resourcequotas/ovim-quota",
        f"/api/v1/{space}/limitranges/ovim-limits",
        f"/apis/networking.k8s.io/v1/{space}/networkpolicies/ovim-network",
        f"{RBAC}/{space}/rolebindings/ovim-org-admin",
        f"/apis/kubevirt.io/v1/{space}/virtualmachines/web",
        f"/apis/kubevirt.io/v1/{space}/virtualmachines/web/status",
        f"/api/v1/{space}",
        "/apis/ovim.io/v1/namespaces/acme/virtualdatacenters/dev",
        "/apis/ovim.io/v1/organizations/acme",
    ):
        code, body = alice.call("PATCH", path, {"metadata": {"labels": {"mine": "yes"}}}, MERGE)
        assert (code, body["reason"]) == (403, "Forbidden"), path
    machine = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "around"}, "spec": {}}
    assert alice.status("POST", f"/apis/kubevirt.io/v1/{space}/virtualmachines", machine) == 403
    assert alice.status("DELETE", f"/apis/kubevirt.io/v1/{space}/virtualmachines/web") == 403
    assert alice.status("GET", f"/api/v1/{space}/secrets") == 403


def test_what_ends_a_role_ends_it_there(scene: Scene) -> None:
    scene.cast()
    vera = User.objects.get(username="vera")
    scene.become(EVERYBODY)
    without = {"ovim-org-admin": ["oidc:alice"], "ovim-user": ["oidc:bob"], "ovim-vm-start": ["oidc:alice"]}
    disable_user(actor=SYSTEM, user=vera)
    scene.become(without)
    assert not scene.kubectl("vera").sees("acme-dev")
    enable_user(actor=SYSTEM, user=vera)
    scene.become(EVERYBODY)
    set_password(actor=SYSTEM, user=vera, password="somebody else knows it", must_change_password=True)
    scene.become(without)
    set_password(actor=SYSTEM, user=vera, password="only she knows it now")
    scene.become(EVERYBODY)
    edit_organization(actor=SYSTEM, organization=scene.acme, changes={"second_factor_required": True})
    scene.become({})
    edit_organization(actor=SYSTEM, organization=scene.acme, changes={"second_factor_required": False})
    scene.become(EVERYBODY)
    edit_organization(actor=SYSTEM, organization=scene.acme, changes={"enabled": False})
    scene.become({})
    scene.become({}, "acme")
    edit_organization(actor=SYSTEM, organization=scene.acme, changes={"enabled": True})
    scene.become(EVERYBODY)
    unbind_role(actor=SYSTEM, binding=scene.bound["bob"])
    delete_user(actor=SYSTEM, user=vera)
    scene.become(ADMINS)


def test_what_others_do_to_them_is_undone_and_what_is_others_is_left_alone(scene: Scene) -> None:
    scene.cast()
    scene.become(EVERYBODY)
    sandbox, space = scene.fleet.east.sandbox, f"{RBAC}/namespaces/acme-dev/rolebindings"
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    mallory = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}
    theirs = {"metadata": {"name": "theirs"}, "roleRef": ref, "subjects": [mallory | {"name": "eve"}]}
    made = sandbox.request("POST", space, theirs)
    live = sandbox.request("GET", f"{space}/ovim-org-admin")
    sandbox.request("PUT", f"{space}/ovim-org-admin", live | {"subjects": [mallory]})
    assert Kubectl(sandbox, "mallory").sees("acme-dev")
    scene.become(EVERYBODY)
    assert not Kubectl(sandbox, "mallory").sees("acme-dev")
    sandbox.request("DELETE", f"{space}/ovim-vdc-admin")
    scene.become(EVERYBODY)
    sandbox.request("DELETE", f"{space}/ovim-user")
    sandbox.request("POST", space, theirs | {"metadata": {"name": "ovim-user"}})  # ours by its name
    scene.become(EVERYBODY)
    assert sandbox.request("GET", f"{space}/theirs") == made
    assert Kubectl(sandbox, "eve").sees("acme-dev")


def test_the_cluster_says_by_which_name_it_knows_people(scene: Scene) -> None:
    scene.cast()
    scene.become(EVERYBODY)
    root: dict[str, Any] = {"actor": SYSTEM, "cluster": scene.east}
    edit_user(actor=SYSTEM, user=User.objects.get(username="bob"), changes={"email": ""})
    edit_cluster(**root, changes={"oidc_username_claim": "email", "oidc_username_prefix": ""})
    by_mail = {name: [f"{who[5:]}@acme.example" for who in names] for name, names in EVERYBODY.items()}
    scene.become({name: names for name, names in by_mail.items() if name != "ovim-user"})
    access = NamespaceAccess.objects.get(vdc=scene.dev)
    told = next(item["message"] for item in access.conditions if item["type"] == "PeopleLeftOut")
    assert told == "The cluster has no name for: bob (has no e-mail address)."
    edit_user(actor=SYSTEM, user=User.objects.get(username="bob"), changes={"email": "bob@acme.example"})
    scene.become(by_mail)
    with pytest.raises(Invalid) as refused:
        edit_cluster(**root, changes={"oidc_username_claim": "subject", "oidc_username_prefix": "idp:"})
    assert refused.value.errors[0].field == "oidc_issuer"
    edit_cluster(**root, changes={"tenant_access": False})
    scene.become({})
    scene.become({}, "acme")
    access.refresh_from_db()
    assert [item["reason"] for item in access.conditions] == ["SwitchedOff"]


def test_groups_and_own_roles_come_to_what_they_give_and_no_more(scene: Scene) -> None:
    ops = create_group(actor=SYSTEM, organization=scene.acme, name="ops", external="idp-ops")
    runner = create_role(
        actor=SYSTEM, organization=scene.acme, name="runner", rights=["vdc.view", "vm.view", "vm.power", "vm.edit"]
    )
    given: dict[str, Any] = {"actor": SYSTEM, "organization": scene.acme, "vdc_id": scene.dev.pk}
    bind_role(**given, role=runner, group=ops)
    eve, dan = (
        create_user(actor=SYSTEM, username=name, password=PASSWORD, organization=scene.acme) for name in ("eve", "dan")
    )
    add_member(actor=SYSTEM, group=ops, user=eve)
    bind_role(**given, role=RoleName.USER, user=dan)
    full = {"ovim-vdc-admin": ["oidc:eve"], "ovim-vm-start": ["oidc:eve"], "ovim-user": ["oidc:dan"]}
    scene.become(full)
    add_member(actor=SYSTEM, group=ops, user=dan)  # he is a user still, and more
    both = ["oidc:dan", "oidc:eve"]
    scene.become({"ovim-vdc-admin": both, "ovim-vm-start": both})
    remove_member(actor=SYSTEM, group=ops, user=dan)
    scene.become(full)
    edit_role(actor=SYSTEM, role=runner, changes={"rights": ["vdc.view", "vm.view", "vm.power"]})
    scene.become({"ovim-user": both})
    edit_cluster(actor=SYSTEM, cluster=scene.east, changes={"oidc_groups": True, "oidc_groups_prefix": "oidc:"})
    scene.become({"ovim-user": ["oidc:idp-ops", *both]})
    edit_group(actor=SYSTEM, group=ops, changes={"external": ""})
    scene.become({"ovim-user": both})
    delete_group(actor=SYSTEM, group=ops)
    scene.become({"ovim-user": ["oidc:dan"]})


def test_a_role_that_ends_ends_there_by_itself(scene: Scene) -> None:
    vera = create_user(actor=SYSTEM, username="vera", password=PASSWORD, organization=scene.acme)
    end = timezone.now() + timedelta(seconds=12)
    given: dict[str, Any] = {"actor": SYSTEM, "user": vera, "organization": scene.acme, "vdc_id": scene.dev.pk}
    bind_role(**given, role=RoleName.VDC_ADMIN, expires_at=end)
    bind_role(**given, role=RoleName.USER)
    scene.fleet.until(lambda: "ovim-vdc-admin" in scene.bindings())
    item = WorkItem.objects.get(kind="namespace-access", object_id=scene.dev.access.pk)
    assert item.due_at is not None
    assert abs((item.due_at - end).total_seconds()) < 1, "it is looked at again just then"
    scene.fleet.until(lambda: scene.bindings() == {"ovim-user": ["oidc:vera"]})
    assert timezone.now() >= end
    assert not WorkItem.objects.filter(kind="namespace-access").exists()


def test_a_role_at_one_machine_is_none_there(scene: Scene) -> None:
    vm = scene.fleet.vm("web", scene.dev)
    vera = create_user(actor=SYSTEM, username="vera", password=PASSWORD, organization=scene.acme)
    bind_role(actor=SYSTEM, user=vera, role=RoleName.VDC_ADMIN, vm_id=vm.pk)
    scene.bind("bob", RoleName.USER, scene.dev)
    scene.become({"ovim-user": ["oidc:bob"]})


def test_starting_is_let_where_it_overshoots_no_limit(scene: Scene) -> None:
    """A machine that is started around OVIM runs until OVIM has seen it: no limit may bind what is powered on."""
    scene.bind("vera", RoleName.VDC_ADMIN, scene.dev)
    may, may_not = {"ovim-vdc-admin": ["oidc:vera"], "ovim-vm-start": ["oidc:vera"]}, {"ovim-vdc-admin": ["oidc:vera"]}
    scene.become(may)
    edit_vdc(actor=SYSTEM, vdc=scene.dev, changes={"limits": {"cpu": 4, "running_vms": 2}})
    scene.become(may_not)
    edit_vdc(actor=SYSTEM, vdc=scene.dev, changes={"limits": {"cpu": 4}})
    scene.become(may)
    edit_vdc(actor=SYSTEM, vdc=scene.dev, changes={"enforcement": Enforcement.ACTIVE})
    scene.become(may_not)
    edit_vdc(actor=SYSTEM, vdc=scene.dev, changes={"enforcement": Enforcement.ALLOCATED})
    scene.become(may)
    quota: dict[str, Any] = {"limits": {"running_vms": 9}, "mode": "elastic"}
    set_organization_quota(actor=SYSTEM, organization=scene.acme, **quota)
    scene.become(may_not)


def test_access_waits_for_nothing_else_and_nothing_else_for_it(scene: Scene) -> None:
    scene.cast()
    scene.become(EVERYBODY)
    sandbox = scene.fleet.east.sandbox
    try:
        sandbox.fault("status", code=500, method="PATCH", path="limitranges", count=-1)
        edit_vdc(actor=SYSTEM, vdc=scene.dev, changes={"max_disk_gib": 7})
        scene.fleet.turn()
        unbind_role(actor=SYSTEM, binding=scene.bound["bob"])
        scene.become({name: names for name, names in EVERYBODY.items() if name != "ovim-user"})
        scene.dev.refresh_from_db()
        assert scene.dev.observed_generation < scene.dev.generation, "its limits are not there"
        sandbox.clear()
        sandbox.fault("status", code=500, method="PATCH", path="rolebindings", count=-1)
        scene.bind("bob", RoleName.USER, scene.dev)
        access = scene.dev.access

        def failed() -> bool:
            access.refresh_from_db()
            return any(item["type"] == "Reconciled" or item["reason"] == "InternalError" for item in access.conditions)

        scene.fleet.until(failed)
        scene.fleet.until(lambda: scene.fleet.phase(scene.dev) == "Active")
    finally:
        sandbox.clear()
    scene.become(EVERYBODY)


def test_nobody_is_let_into_a_namespace_of_the_name_that_is_not_ours(scene: Scene) -> None:
    sandbox = scene.fleet.east.sandbox
    scene.bind("alice", RoleName.ORG_ADMIN)
    scene.become(ADMINS, "acme-prod")
    sandbox.request("DELETE", "/api/v1/namespaces/acme-prod")
    scene.fleet.until(lambda: _absent(sandbox, "acme-prod") or None, 20)
    sandbox.request("POST", "/api/v1/namespaces", {"metadata": {"name": "acme-prod"}})
    for _ in range(8):
        scene.fleet.turn()
    assert bindings(sandbox, "acme-prod") == {}
    assert not scene.kubectl("alice").sees("acme-prod")
    sandbox.request("DELETE", "/api/v1/namespaces/acme-prod")


def _absent(sandbox: Any, name: str) -> bool:
    return name not in {item["metadata"]["name"] for item in sandbox.request("GET", "/api/v1/namespaces")["items"]}


def test_it_comes_and_goes_with_its_vdc_and_its_organization(scene: Scene) -> None:
    scene.cast()
    scene.become(EVERYBODY)
    delete_vdc(actor=SYSTEM, vdc=scene.dev)  # not refused: nobody has put anything into it
    scene.fleet.until(lambda: not scene.fleet.exists(scene.dev))
    delete_vdc(actor=SYSTEM, vdc=scene.prod)
    scene.fleet.until(lambda: not scene.fleet.exists(scene.prod))
    assert NamespaceAccess.objects.count() == 1
    delete_organization(actor=SYSTEM, organization=scene.acme)
    scene.fleet.until(lambda: not scene.fleet.exists(scene.acme))
    assert not NamespaceAccess.objects.exists()


def test_an_upgrade_hands_over_what_was_written_before(scene: Scene) -> None:
    """Role bindings that VDCs and organizations have written go on as the new rows', without a moment of NameTaken."""
    scene.cast()
    scene.become(EVERYBODY)
    sandbox = scene.fleet.east.sandbox
    uids = {item["metadata"]["uid"] for item in sandbox.request("GET", f"{RBAC}/rolebindings")["items"]}
    for row in NamespaceAccess.objects.all():
        owner = ("vdc", row.vdc_id) if row.vdc_id else ("placed-organization", row.placement_id)
        InventoryItem.objects.filter(owner_id=row.pk).update(
            owner_kind=owner[0], owner_id=owner[1], data_of_kind=owner[0], data_of_id=owner[1]
        )
    NamespaceAccess.objects.all().delete()
    WorkItem.objects.filter(kind="namespace-access").delete()
    upgrade = import_module("vdcs.migrations.0006_access_of_what_is_there")
    with connection.cursor() as cursor:
        cursor.execute(upgrade.MAKE)
        cursor.execute(upgrade.TAKE_OVER)
    assert set(InventoryItem.objects.filter(kind="RoleBinding").values_list("owner_kind", flat=True)) == {
        "namespace-access"
    }
    assert heal.request_unsettled() == NamespaceAccess.objects.count() == 3
    scene.become(EVERYBODY)
    assert {item["metadata"]["uid"] for item in sandbox.request("GET", f"{RBAC}/rolebindings")["items"]} == uids
    assert set(NamespaceAccess.objects.values_list("phase", flat=True)) == {"Active"}
    scene.fleet.until(lambda: scene.fleet.phase(scene.dev) == "Active")


def test_ovims_own_account_binds_these_roles_and_no_others(fleet: Fleet) -> None:
    """By the cluster's own escalation check: `bind` by name in deploy/account, and nothing else."""
    client, path = Client(fleet.east.url, fleet.east.token), f"{RBAC}/namespaces/default/rolebindings"

    def bind(role: str) -> Any:
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        who = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}
        return client.raw("POST", path, {"metadata": {"name": role}, "roleRef": ref, "subjects": [who]})

    for role in TENANT_ROLES:
        bind(role)
        fleet.east.sandbox.request("DELETE", f"{path}/{role}")
    for role in ("admin", "edit", "cluster-admin", "kubevirt.io:admin", "kubevirt.io:edit"):
        with pytest.raises(KubeError) as refused:
            bind(role)
        assert (refused.value.status, "not currently held" in refused.value.message) == (403, True), role
    more = {"metadata": {"name": "more"}, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["watch"]}]}
    with pytest.raises(KubeError) as refused:
        client.raw("POST", f"{RBAC}/namespaces/default/roles", more)
    assert refused.value.status == 403
