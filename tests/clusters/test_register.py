"""Taking clusters in: what is asked of one first, and by which name it is refused."""

import json
import socket
from contextlib import contextmanager

import jwt
import pytest

from clusters import examine, secrets
from clusters.models import Cluster
from core.models import AuditEntry
from tests.clusters.fleet import apply, manifests, prepare

pytestmark = pytest.mark.django_db


def refused(answer, status, field, rule):
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert (body["errors"][0]["field"], body["errors"][0]["rule"]) == (field, rule), body
    assert not Cluster.objects.exists()
    return body["errors"][0]["message"]


def test_a_cluster_is_looked_over_and_taken_in(api, east):
    answer = api("root").post("clusters", east.body("east", display_name="East"))
    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert (shown["name"], shown["display_name"], shown["server"]) == ("east", "East", east.url)
    assert shown["is_default"], "the first one"
    assert shown["schedulable"]
    assert shown["lacking"] == []
    assert shown["capabilities"]["kubevirt"] == "v1.9.0"
    assert shown["capabilities"]["vm_export"] is None
    assert shown["capabilities"]["architectures"] == {"amd64": 3}
    assert [item["name"] for item in shown["capabilities"]["storage_classes"] if item["default_for_vms"]] == [
        "standard"
    ]
    cluster = Cluster.objects.get()
    assert east.token not in answer.content.decode()
    assert east.token.encode() not in bytes(cluster.credential)
    assert secrets.decrypt(bytes(cluster.credential)) == east.token
    entry = AuditEntry.objects.get(action="cluster.register")
    assert east.token not in str(entry.after)


# What is refused


def test_a_wrong_ca_a_wrong_name_and_no_tls_are_told_apart(api, tls, east, another_ca):
    post = api("root").post
    message = refused(post("clusters", tls.body("t")), 422, "ca", "wrong_ca")
    assert "not signed by this CA" in message
    refused(post("clusters", tls.body("t", ca=another_ca)), 422, "ca", "wrong_ca")
    refused(post("clusters", tls.body("t", ca="nonsense")), 422, "ca", "not_pem")
    right = tls.body("t", ca=tls.ca)
    named = right | {"server": tls.url.replace("127.0.0.1", "127.0.0.2")}
    refused(post("clusters", named), 422, "server", "wrong_name")
    plain = right | {"server": east.url.replace("http:", "https:")}
    refused(post("clusters", plain), 422, "server", "no_tls")
    assert post("clusters", right).status_code == 201


def test_a_token_that_is_wrong_or_over_is_told(api, east):
    post = api("root").post
    refused(post("clusters", east.body("e") | {"token": "nonsense"}), 422, "token", "refused")
    over = jwt.encode({"exp": 1_700_000_000, "sub": "system:serviceaccount:a:b"}, "k" * 32, "HS256")
    message = refused(post("clusters", east.body("e") | {"token": over}), 422, "token", "expired")
    assert "expired at 2023-11-14" in message


def test_what_does_not_answer_or_is_no_api_server(api, east, web_server):
    post = api("root").post
    refused(post("clusters", east.body("e") | {"server": "http://127.0.0.1:1"}), 422, "server", "refused")
    refused(post("clusters", east.body("e") | {"server": web_server}), 422, "server", "not_an_api_server")
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.MonkeyPatch.context() as patch:
        patch.setattr(examine, "TIMEOUT", (0.2, 0.2))
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        refused(post("clusters", east.body("e") | {"server": server}), 422, "server", "timeout")


def test_metadata_services_and_our_own_machine_are_no_clusters(api, east, settings):
    post = api("root").post
    refused(post("clusters", east.body("e") | {"server": "https://169.254.169.254"}), 422, "server", "metadata")
    settings.OVIM_LOOPBACK_CLUSTERS = False
    refused(post("clusters", east.body("e")), 422, "server", "loopback")


@contextmanager
def without(sandbox, name, rules):
    """The role with other rules for a while."""
    role = next(body for body in manifests("account") if body["kind"] == "ClusterRole")
    assert role["metadata"]["name"] == name
    apply(sandbox, role | {"rules": rules(role["rules"])})
    yield
    apply(sandbox, role)


def test_an_account_that_may_not_do_what_is_needed_is_refused_with_the_list(api, east):
    def rules(found):
        return [rule for rule in found if "secrets" not in rule["resources"] and "bind" not in rule["verbs"]]

    with without(east.sandbox, "ovim:engine", rules):
        message = refused(api("root").post("clusters", east.body("e")), 422, "token", "missing_rights")
    for right in ("create secrets", "bind clusterroles.rbac.authorization.k8s.io ovim:user"):
        assert right in message
    assert "virtualmachines" not in message


def test_a_cluster_without_ovims_definitions_is_refused_with_what_to_do(api, east):
    east.sandbox.request("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterroles/ovim:user")
    message = refused(api("root").post("clusters", east.body("e")), 422, "server", "missing_definitions")
    assert "ClusterRole ovim:user" in message
    assert "kubectl apply -f deploy/crds -f deploy/rbac" in message
    prepare(east.sandbox)


def test_roles_of_tenants_that_give_anything_else_are_told(api, east):
    """As an older version's would: its users saw everybody's machines."""
    role = next(body for body in manifests("rbac") if body["metadata"]["name"] == "ovim:user")
    wider = [*role["rules"], {"apiGroups": ["kubevirt.io"], "resources": ["virtualmachines"], "verbs": ["list"]}]
    apply(east.sandbox, role | {"rules": wider})
    message = refused(api("root").post("clusters", east.body("e")), 422, "server", "missing_definitions")
    assert "ClusterRole ovim:user as this version has it" in message
    apply(east.sandbox, role)
    made = api("root").post("clusters", east.body("e")).json()
    apply(east.sandbox, role | {"rules": wider})
    told = api("root").post(f"clusters/{made['id']}/check").json()["check_error"]
    assert "ClusterRole ovim:user as this version has it" in told
    apply(east.sandbox, role)
    assert api("root").post(f"clusters/{made['id']}/check").json()["check_error"] == ""


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ({"name": "East"}, "name", "dns_label"),
        ({"server": ""}, "server", "required"),
        ({"token": ""}, "token", "required"),
        ({"token": "two words"}, "token", "format"),
        ({"kubeconfig": "x"}, "server", "one_of"),
        ({"server": "", "token": "", "kubeconfig": "{"}, "kubeconfig", "not_yaml"),
    ],
)
def test_a_body_that_says_nothing_is_refused_at_its_field(api, east, given, field, rule):
    refused(api("root").post("clusters", east.body("e") | given), 422, field, rule)


def test_by_a_kubeconfig_whose_refusals_are_about_the_kubeconfig(api, east):
    post = api("root").post
    good = {"name": "east", "kubeconfig": kubeconfig(east)}
    refused(post("clusters", good | {"context": "other"}), 422, "context", "no_context")
    refused(post("clusters", {"name": "e", "kubeconfig": kubeconfig(east, token="x")}), 422, "kubeconfig", "refused")
    assert post("clusters", good).status_code == 201


def kubeconfig(prepared, **user):
    return json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": prepared.url}}],
            "users": [{"name": "u", "user": {"token": prepared.token} | user}],
        }
    )


def test_one_cluster_is_not_taken_in_twice(api, east):
    root = api("root")
    assert root.post("clusters", east.body("east")).status_code == 201
    again = root.post("clusters", east.body("orient"))
    assert again.status_code == 409
    assert again.json()["errors"][0]["rule"] == "known"
    assert "the cluster east already" in again.json()["detail"]


def test_nobody_but_the_provider_and_nothing_is_asked_for_others(api, east):
    for name in ("alice", "vera", "bob", "charlie", "nobody"):
        assert api(name).post("clusters", east.body("e") | {"server": "http://127.0.0.1:1"}).status_code == 403
    assert not Cluster.objects.filter(name="e").exists()


def test_sent_twice_is_done_once_and_tried_out_is_not_done(api, east):
    root, key = api("root"), {"Idempotency_Key": "k1"}
    plan = root.post("clusters?dry_run=true", east.body("east"))
    assert (plan.status_code, plan.json()["status"]) == (200, 201)
    assert not Cluster.objects.exists()
    first = root.post("clusters", east.body("east"), **key)
    assert first.status_code == 201, first.content
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clusters.fleet.examine", None)  # the answer is known: the cluster is not asked again
        again = root.post("clusters", east.body("east"), **key)
    assert again.json()["id"] == first.json()["id"]
    assert Cluster.objects.count() == 1


# Afterwards


def test_a_credential_is_renewed_for_the_same_cluster_only(api, east, west):
    root = api("root")
    one = root.post("clusters", east.body("east")).json()
    address = f"clusters/{one['id']}/access"
    other = root.request("put", address, {"server": west.url, "token": west.token})
    assert other.status_code == 422
    assert other.json()["errors"][0]["rule"] == "another_cluster"
    issued = east.sandbox.request(
        "POST", "/api/v1/namespaces/ovim-system/serviceaccounts/ovim/token", {"spec": {"expirationSeconds": 3600}}
    )
    done = root.request("put", address, {"server": east.url, "token": issued["status"]["token"]}, If_Match='"1"')
    assert done.status_code == 200, done.content
    cluster = Cluster.objects.get()
    assert secrets.decrypt(bytes(cluster.credential)) == issued["status"]["token"]
    assert cluster.credential_expires_at is not None
    assert done.json()["credential_expires_at"] is not None
    assert (cluster.generation, cluster.access_generation) == (2, 2)
    stale = root.request("put", address, {"server": east.url, "token": east.token}, If_Match='"1"')
    assert stale.status_code == 412


def test_texts_and_the_default_change_hands(api, east, west):
    root = api("root")
    one = root.post("clusters", east.body("east")).json()
    two = root.post("clusters", west.body("west")).json()
    assert (one["is_default"], two["is_default"]) == (True, False)
    edited = root.patch(f"clusters/{two['id']}", {"display_name": "West", "is_default": True}).json()
    assert (edited["display_name"], edited["is_default"], edited["generation"]) == ("West", True, 2)
    assert not root.get(f"clusters/{one['id']}").json()["is_default"]
    none = root.patch(f"clusters/{two['id']}", {"is_default": False})
    assert none.status_code == 422
    assert none.json()["errors"][0]["rule"] == "one_default"
    assert Cluster.objects.get(name="west").access_generation == 1, "its watcher need not begin anew"
    assert api("alice").patch(f"clusters/{two['id']}", {"display_name": "x"}).status_code == 403


def test_a_check_stores_what_has_changed_and_what_is_lacking(api, east):
    root = api("root")
    one = root.post("clusters", east.body("east")).json()
    path = "/apis/storage.k8s.io/v1/storageclasses"
    east.sandbox.request("POST", path, {"metadata": {"name": "new"}, "provisioner": "p"})
    with without(east.sandbox, "ovim:engine", lambda found: [r for r in found if "secrets" not in r["resources"]]):
        found = root.post(f"clusters/{one['id']}/check").json()
    east.sandbox.request("DELETE", f"{path}/new")
    assert "new" in [item["name"] for item in found["capabilities"]["storage_classes"]]
    assert "create secrets" in found["lacking"]
    assert root.post(f"clusters/{one['id']}/check").json()["lacking"] == []
    Cluster.objects.update(server="http://127.0.0.1:1")
    lost = root.post(f"clusters/{one['id']}/check").json()
    assert "Nothing listens there" in lost["check_error"]
    assert lost["capabilities"] == root.get(f"clusters/{one['id']}").json()["capabilities"] != {}
