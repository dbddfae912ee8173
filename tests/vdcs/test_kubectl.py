"""What people's rights come to in a cluster: names, roles and bindings, and what each is told of his own."""

from dataclasses import replace
from uuid import UUID

import pytest
from django.utils import timezone

from clusters.models import Cluster
from core.rights import Right
from tenancy import tenant_roles
from tenancy.models import RoleName
from tenancy.roles import GRANTS
from tenancy.subjects import Nameless, Naming, Person, group_names, names_of
from tests.cast import make_person
from tests.portal import browser, text
from vdcs import access, desired
from vdcs.facts import AccessFacts
from vdcs.models import NamespaceAccess, QuotaScope, Vdc

BOB = Person("bob", "bob@acme.example", (("https://idp.example", "b-1"), ("https://other.example", "b-2")))
FACTS = AccessFacts(
    "acme-dev",
    UUID(int=1),
    UUID(int=2),
    users={"ovim:vdc-admin": ["vera", "alice", "vera"], "ovim:user": []},
    groups={"ovim:vdc-admin": ["ops"]},
)


@pytest.mark.parametrize(
    ("naming", "names"),
    [
        (Naming("username"), ["bob"]),
        (Naming("username", "oidc:"), ["oidc:bob"]),
        (Naming("email"), ["bob@acme.example"]),
        (Naming("subject"), ["https://idp.example#b-1", "https://other.example#b-2"]),
        (Naming("subject", issuer="https://idp.example"), ["https://idp.example#b-1"]),
        (Naming("subject", "idp:", issuer="https://other.example"), ["idp:b-2"]),
    ],
)
def test_names_are_those_that_an_api_server_makes_of_tokens(naming, names):
    assert names_of(BOB, naming) == names


@pytest.mark.parametrize(
    ("person", "naming", "why"),
    [
        (replace(BOB, email=""), Naming("email"), "has no e-mail address"),
        (replace(BOB, identities=()), Naming("subject"), "is not known from the identity provider yet"),
        (BOB, Naming("subject", issuer="https://third.example"), "is not known from the identity provider yet"),
        (replace(BOB, email="system:admin"), Naming("email"), "a name of Kubernetes’ own"),
    ],
)
def test_who_has_no_name_there_is_left_out_and_why(person, naming, why):
    with pytest.raises(Nameless) as told:
        names_of(person, naming)
    assert why in str(told.value)


def test_no_group_becomes_everybody():
    assert group_names("devs", Naming("username", groups_prefix="oidc:")) == ["oidc:devs"]
    with pytest.raises(Nameless):
        group_names("system:authenticated", Naming("username"))


def test_one_binding_a_role_with_its_people_in_order():
    (only,) = desired.access_objects(FACTS)
    assert only.manifest == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": "ovim-vdc-admin",
            "namespace": "acme-dev",
            "labels": {
                "app.kubernetes.io/part-of": "ovim",
                "ovim.io/organization": str(UUID(int=1)),
                "ovim.io/vdc": str(UUID(int=2)),
            },
        },
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "ovim:vdc-admin"},
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
            for kind, name in (("Group", "ops"), ("User", "alice"), ("User", "vera"))
        ],
    }
    shuffled = replace(FACTS, users={"ovim:vdc-admin": ["alice", "vera"]})
    assert desired.access_objects(shuffled)[0].digest == only.digest
    assert desired.access_objects(replace(FACTS, syncs=False)) == []


def roles_of(role: RoleName, *, starts: bool = True) -> list[str]:
    own = role is RoleName.USER
    rights = GRANTS[role]
    return tenant_roles.in_vdc(frozenset() if own else rights, rights if own else frozenset(), starts=starts)


def test_the_built_in_roles_come_to_their_own():
    assert roles_of(RoleName.ORG_ADMIN) == ["ovim:org-admin", "ovim:vm-start"]
    assert roles_of(RoleName.VDC_ADMIN) == ["ovim:vdc-admin", "ovim:vm-start"]
    assert roles_of(RoleName.VDC_ADMIN, starts=False) == ["ovim:vdc-admin"]
    assert roles_of(RoleName.USER) == ["ovim:user"]
    assert tenant_roles.in_organization(GRANTS[RoleName.ORG_ADMIN]) == ["ovim:org-admin"]
    assert tenant_roles.in_organization(GRANTS[RoleName.VDC_ADMIN]) == []


@pytest.mark.parametrize(
    ("rights", "roles"),
    [
        ({Right.VDC_VIEW, Right.VM_VIEW}, ["ovim:user"]),
        ({Right.VDC_VIEW, Right.VM_VIEW, Right.VM_POWER}, ["ovim:user"]),  # no screens: they are as good as VM_EDIT
        ({Right.VDC_VIEW, Right.VM_VIEW, Right.VM_POWER, Right.VM_EDIT}, ["ovim:vdc-admin", "ovim:vm-start"]),
        ({Right.VM_VIEW, Right.VM_POWER, Right.VM_EDIT}, []),
        (set(), []),
    ],
)
def test_other_sets_of_rights_come_to_no_more_than_they_are(rights, roles):
    assert tenant_roles.in_vdc(rights, (), starts=True) == roles


@pytest.fixture
def dev(acme_dev: Vdc) -> Vdc:
    NamespaceAccess.objects.create(organization=acme_dev.organization, cluster=acme_dev.cluster, vdc=acme_dev)
    QuotaScope.objects.create(organization=acme_dev.organization, vdc=acme_dev)
    Cluster.objects.update(tenant_access=True, oidc_username_prefix="oidc:")
    return acme_dev


@pytest.mark.django_db
def test_everybody_is_told_where_as_whom_and_with_what(api, dev):
    path = f"vdcs/{dev.pk}/kubectl"
    assert api("charlie").get(path).status_code == 404
    vera = api("vera").get(path).json()
    assert (vera["namespace"], vera["usernames"], vera["hindrance"]) == ("acme-dev", ["oidc:vera"], "")
    assert vera["roles"] == ["ovim:vdc-admin", "ovim:vm-start"]
    assert api("bob").get(path).json()["roles"] == ["ovim:user"]
    assert api("root").get(path).json()["hindrance"] == "No role of yours in this VDC holds in the cluster."
    Cluster.objects.update(oidc_username_claim="email")
    told = api("vera").get(path).json()
    assert (told["roles"], told["hindrance"]) == (
        [], "The cluster has no name for you: vera has no e-mail address."
    )  # fmt: skip


@pytest.mark.django_db
def test_who_else_may_is_for_those_who_see_roles(api, dev):
    left_out = {"type": "PeopleLeftOut", "status": "True", "reason": "NoName", "message": "vera", "since": "x"}
    NamespaceAccess.objects.update(people={"ovim:user": 3}, conditions=[left_out])
    path = f"vdcs/{dev.pk}/kubectl"
    assert (api("vera").get(path).json()["people"], api("bob").get(path).json()["people"]) == ({"ovim:user": 3}, {})
    assert api("vera").get(path).json()["conditions"] == [left_out]
    assert api("bob").get(path).json()["conditions"] == []


@pytest.mark.django_db
def test_the_page_of_a_vdc_says_it(dev):
    page = text(browser("vera").get(f"/vdcs/{dev.pk}/"))
    assert "oidc:vera" in page
    assert "ovim:vdc-admin, ovim:vm-start" in page
    there = {
        "type": "Ready",
        "status": "True",
        "reason": "Applied",
        "message": "They are bound.",
        "since": f"{timezone.now()}",
    }
    NamespaceAccess.objects.update(conditions=[there])
    assert "They are bound. 0 s" in text(browser("vera").get(f"/vdcs/{dev.pk}/"))
    Cluster.objects.update(tenant_access=False)
    assert "takes no roles from OVIM" in text(browser("vera").get(f"/vdcs/{dev.pk}/"))


@pytest.mark.django_db
def test_how_a_cluster_knows_people_is_the_providers_to_say(api, dev):
    path = f"clusters/{dev.cluster_id}"
    change = {
        "oidc_username_claim": "email",
        "oidc_username_prefix": "",
        "oidc_groups_prefix": "g:",
        "oidc_groups": True,
    }
    assert api("alice").patch(path, change).status_code == 403
    answer = api("root").patch(path, change)
    assert answer.status_code == 200, answer.content
    assert {name: answer.json()[name] for name in change} == change
    access_row = NamespaceAccess.objects.get(vdc=dev)
    assert access_row.generation == 2, "who is bound there is looked at anew"
    for prefix in ("system:", "-", "a b"):
        refused = api("root").patch(path, {"oidc_username_prefix": prefix})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "oidc_username_prefix"), prefix
    refused = api("root").patch(path, {"oidc_username_claim": "subject", "oidc_username_prefix": "idp:"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "oidc_issuer")
    assert "g:" in text(browser("root").get(f"/clusters/{dev.cluster_id}/"))


@pytest.mark.django_db
def test_what_nobody_told_is_found_all_the_same(dev):
    NamespaceAccess.objects.update(ready_at="2026-01-01T00:00Z", observed_generation=1)
    assert access.request_stale() == 0
    make_person("vera")  # around every verb
    assert access.request_stale() == 1, "vera is bound and nothing was written"
    assert NamespaceAccess.objects.get(vdc=dev).generation == 2
    assert access.request_stale() == 0, "it is on its way"
