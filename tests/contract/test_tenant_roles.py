"""Promise: the roles of deploy/rbac let tenants look and work the power, and nothing else. The files themselves are tried.

Each role is put into the cluster under a name of the test's own, bound to one user in one namespace, and asked about by
that user. An `o` in the table is ovim:org-admin, `v` ovim:vdc-admin, `u` ovim:user, `s` ovim:vm-start.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.contract.accounts import bind, user
from tests.contract.conftest import MERGE, Cluster

FILES = Path(__file__).resolve().parents[2] / "deploy" / "rbac"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
LETTERS = {"o": "ovim:org-admin", "v": "ovim:vdc-admin", "u": "ovim:user", "s": "ovim:vm-start"}
READ, WRITE = ("get", "list", "watch"), ("create", "update", "patch", "delete", "deletecollection")
EVERY = (*READ, *WRITE)
RBAC, KUBEVIRT, ORDERS = "rbac.authorization.k8s.io", "kubevirt.io", "subresources.kubevirt.io"
# (group, resources, verbs) → who may. Whoever is not named is refused.
TABLE = [
    # What is looked at, and never written.
    ("", "pods events persistentvolumeclaims services", READ, "ov"),
    ("", "pods events persistentvolumeclaims services", WRITE, ""),
    ("networking.k8s.io", "networkpolicies", READ, "ov"),
    ("networking.k8s.io", "networkpolicies", WRITE, ""),
    ("", "resourcequotas limitranges", READ, "ovu"),
    ("", "resourcequotas limitranges resourcequotas/status", WRITE, ""),
    (KUBEVIRT, "virtualmachines virtualmachineinstances virtualmachineinstancemigrations", READ, "ov"),
    ("cdi.kubevirt.io", "datavolumes", READ, "ov"),
    ("ovim.io", "virtualdatacenters catalogs", READ, "o"),
    # Everything that makes, changes or deletes a machine or a disk goes through OVIM and its quota.
    (KUBEVIRT, "virtualmachines virtualmachines/status virtualmachineinstances", WRITE, ""),
    (KUBEVIRT, "virtualmachineinstancereplicasets virtualmachineinstancepresets", EVERY, ""),
    (KUBEVIRT, "virtualmachineinstancemigrations", WRITE, ""),
    ("cdi.kubevirt.io", "datavolumes dataimportcrons datasources", WRITE, ""),
    ("cdi.kubevirt.io", "datavolumes/source", ("create",), ""),
    ("upload.cdi.kubevirt.io", "uploadtokenrequests", ("create",), ""),
    ("pool.kubevirt.io", "virtualmachinepools", EVERY, ""),
    ("clone.kubevirt.io", "virtualmachineclones", EVERY, ""),
    ("snapshot.kubevirt.io", "virtualmachinesnapshots virtualmachinerestores", EVERY, ""),
    ("export.kubevirt.io", "virtualmachineexports", EVERY, ""),
    ("ovim.io", "virtualdatacenters virtualdatacenters/status catalogs organizations", WRITE, ""),
    # Power and screens.
    (ORDERS, "virtualmachines/stop virtualmachines/restart", ("update",), "ov"),
    (ORDERS, "virtualmachines/start", ("update",), "s"),
    (ORDERS, "virtualmachineinstances/pause virtualmachineinstances/unpause", ("update",), "ov"),
    (ORDERS, "virtualmachineinstances/softreboot virtualmachineinstances/reset", ("update",), "ov"),
    (ORDERS, "virtualmachineinstances/console virtualmachineinstances/vnc", ("get",), "ov"),
    (ORDERS, "virtualmachineinstances/guestosinfo virtualmachineinstances/userlist", ("get",), "ov"),
    # Disks, places and networks around OVIM.
    (ORDERS, "virtualmachines/migrate virtualmachines/addvolume virtualmachines/removevolume", ("update",), ""),
    (ORDERS, "virtualmachines/memorydump virtualmachineinstances/addvolume", ("update",), ""),
    (ORDERS, "virtualmachineinstances/freeze virtualmachineinstances/unfreeze", ("update",), ""),
    (ORDERS, "virtualmachineinstances/portforward virtualmachines/portforward", ("get",), ""),
    (ORDERS, "virtualmachineinstances/usbredir virtualmachineinstances/vsock", ("get",), ""),
    # Secrets, the insides of launchers, rights, and the namespace itself.
    ("", "secrets configmaps serviceaccounts", EVERY, ""),
    ("", "serviceaccounts/token pods/exec pods/attach pods/portforward pods/eviction", ("create", "get"), ""),
    ("", "pods/log", ("get",), ""),
    (RBAC, "roles rolebindings", (*EVERY, "bind", "escalate"), ""),
    ("", "namespaces namespaces/status namespaces/finalize", EVERY, ""),
    ("", "serviceaccounts users groups", ("impersonate",), ""),
    ("apps", "deployments daemonsets statefulsets", EVERY, ""),
    ("batch", "jobs cronjobs", EVERY, ""),
    ("networking.k8s.io", "ingresses", EVERY, ""),
    ("k8s.cni.cncf.io", "network-attachment-definitions", EVERY, ""),
]


def manifests() -> list[dict[str, object]]:
    return [body for file in sorted(FILES.glob("*.yaml")) for body in yaml.safe_load_all(file.read_text())]


@pytest.fixture
def people(cluster: Cluster, space: str) -> Iterator[dict[str, Cluster]]:
    """The cluster as each role's user speaks to it, by the role's letter."""
    made = []
    try:
        for body in manifests():
            name = f"{space}.{body['metadata']['name']}"  # type: ignore[index]
            answer = cluster.call("POST", ROLES, {**body, "metadata": {"name": name}})
            assert answer.status == 201, answer.text
            made.append(name)
            bind(cluster, space, name, user(name), kind="ClusterRole")
        found = {letter: cluster.as_user(f"{space}.{role}") for letter, role in LETTERS.items()}
        for letter, row in (("o", ("", "pods")), ("v", ("", "pods")), ("u", ("", "limitranges"))):
            end = time.monotonic() + 10
            while not may(found[letter], space, *row, "get"):
                assert time.monotonic() < end
                time.sleep(0.1)
        yield found
    finally:
        for name in made:
            cluster.call("DELETE", f"{ROLES}/{name}")


def may(who: Cluster, namespace: str, group: str, resource: str, verb: str) -> bool:
    plural, _, sub = resource.partition("/")
    asked = {"namespace": namespace, "group": group, "resource": plural, "subresource": sub, "verb": verb, "name": "x"}
    spec = {"resourceAttributes": {key: value for key, value in asked.items() if value}}
    answer = who.call("POST", REVIEW, {"spec": spec})
    assert answer.status == 201, answer.text
    allowed: bool = answer.body["status"]["allowed"]
    return allowed


def test_each_role_may_what_the_table_says_and_nothing_else(space: str, people: dict[str, Cluster]) -> None:
    wrong = []
    for group, resources, verbs, letters in TABLE:
        for resource in resources.split():
            for verb in verbs:
                found = "".join(letter for letter in LETTERS if may(people[letter], space, group, resource, verb))
                if found != letters:
                    wrong.append(f"{verb} {resource} {group}: {found or 'nobody'}, not {letters or 'nobody'}")
    assert wrong == []


def test_what_a_role_gives_in_one_namespace_it_gives_in_no_other(
    cluster: Cluster, space: str, people: dict[str, Cluster]
) -> None:
    for letter, resource in (("o", "virtualmachines"), ("v", "virtualmachines"), ("u", "resourcequotas")):
        group = KUBEVIRT if resource == "virtualmachines" else ""
        assert may(people[letter], space, group, resource, "list")
        assert not may(people[letter], "default", group, resource, "list")
        assert not may(people[letter], "", group, resource, "list"), "in all namespaces at once"


def test_every_rule_of_the_files_is_in_the_table() -> None:
    """A rule that nobody wrote down here is one that nobody has decided on."""
    known = {
        (group, resource, verb, letter)
        for group, resources, verbs, letters in TABLE
        for resource in resources.split()
        for verb in verbs
        for letter in letters
    }
    screens = {"virtualmachineinstances/vnc/screenshot", "virtualmachineinstances/filesystemlist"}
    given = {
        (group, resource, verb, letter)
        for letter, role in LETTERS.items()
        for body in manifests()
        if body["metadata"]["name"] == role  # type: ignore[index]
        for rule in body["rules"]  # type: ignore[attr-defined]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if resource not in screens
    }
    assert given == known


def test_who_is_bound_to_them_is_refused_by_the_server_itself(
    cluster: Cluster, space: str, people: dict[str, Cluster]
) -> None:
    quota = f"/api/v1/namespaces/{space}/resourcequotas"
    made = cluster.call("POST", quota, {"metadata": {"name": "plan"}, "spec": {"hard": {"pods": "1"}}})
    assert made.status == 201
    admin = people["o"]
    assert admin.call("GET", f"{quota}/plan").status == 200
    more = {"spec": {"hard": {"pods": "100"}}}
    assert admin.call("PATCH", f"{quota}/plan", more, media=MERGE).status == 403
    assert admin.call("DELETE", f"{quota}/plan").status == 403
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    assert admin.call("PATCH", f"/api/v1/namespaces/{space}", label, media=MERGE).status == 403
    mine = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"}
    body = {"metadata": {"name": "more"}, "roleRef": mine, "subjects": [user(f"{space}.ovim:org-admin")]}
    assert admin.call("POST", f"/apis/{RBAC}/v1/namespaces/{space}/rolebindings", body).status == 403
