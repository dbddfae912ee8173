"""Clusters taken in by a kubeconfig with a client certificate, as kind, kubeadm, k3s and OpenShift hand them out."""

import base64
import json
import os
import ssl
import stat
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from django.core.management import call_command
from django.db.models.functions import Now
from django.urls import reverse

from clusters import certificates, connections, secrets
from clusters.client import Client
from clusters.errors import KubeError
from clusters.models import Cluster
from clusters.refs import WATCHED
from clusters.sandbox.client_certificates import ClientAuthority
from clusters.tasks import look_into_all
from core.models import AuditEntry
from tests.clusters.fleet import apply
from tests.portal import browser

pytestmark = pytest.mark.django_db
DAY_SECONDS = 24 * 3600


def taken_in(api, kubeconfig: str):
    return api("root").post("clusters", {"name": "south", "kubeconfig": kubeconfig})


def refused(answer, rule):
    assert answer.status_code == 422, answer.content
    (error,) = answer.json()["errors"]
    assert (error["field"], error["rule"]) == ("kubeconfig", rule)
    assert not Cluster.objects.exists()
    return error["message"]


def inline(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def keys_of(kubeconfig: str) -> tuple[str, str]:
    user = json.loads(kubeconfig)["users"][0]["user"]
    return user["client-certificate-data"], user["client-key-data"]


def test_an_administrators_kubeconfig_is_taken_and_its_key_is_never_seen_again(api, south, caplog):
    kubeconfig = south.kubeconfig("kubernetes-admin", "system:masters", lasting_seconds=365 * DAY_SECONDS)
    with caplog.at_level("DEBUG"):
        answer = taken_in(api, kubeconfig)
    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert shown["signs_in_as"] == "kubernetes-admin (system:masters)"
    assert (shown["lacking"], shown["warnings"]) == ([], [])
    assert shown["credential_expires_at"] is not None
    cluster = Cluster.objects.get()
    key = secrets.decrypt(bytes(cluster.credential))
    assert key.startswith("-----BEGIN EC PRIVATE KEY-----")
    secret = key.splitlines()[1]
    assert secret.encode() not in bytes(cluster.credential)
    told = [answer.content.decode(), caplog.text, str(list(AuditEntry.objects.values()))]
    told += [api("root").get(f"clusters/{cluster.pk}").content.decode()]
    told += [browser("root").get(reverse("cluster-detail", args=[cluster.pk])).content.decode()]
    told += [browser("root").get(reverse("cluster-access", args=[cluster.pk])).content.decode()]
    assert not any(secret in text or keys_of(kubeconfig)[1] in text for text in told)
    assert "by client certificate, as <code>kubernetes-admin (system:masters)</code>" in told[4]
    assert connections.client_of(cluster.pk).raw("GET", "/version")["major"] == "1"


def test_what_its_user_may_do_is_asked_as_of_any_other(api, south):
    kubeconfig = south.kubeconfig("ovim", "ovim-engines")
    message = refused(taken_in(api, kubeconfig), "missing_rights")
    assert 'User "ovim" cannot get resource "namespaces"' in message
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "by-certificate"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "ovim:engine"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "ovim-engines"}],
    }
    apply(south.sandbox, binding)
    answer = taken_in(api, kubeconfig)
    south.sandbox.request("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/by-certificate")
    assert answer.status_code == 201, answer.content


def test_one_that_ended_or_is_of_another_authority_is_told_apart(api, south, tmp_path):
    message = refused(taken_in(api, south.kubeconfig(lasting_seconds=-60)), "expired")
    assert "The client certificate ended on 20" in message
    stranger = json.loads(south.kubeconfig())
    certificate, key = ClientAuthority(tmp_path).issue("mallory", ["system:masters"], timedelta(days=1))
    stranger["users"][0]["user"] = {
        "client-certificate-data": inline(certificate),
        "client-key-data": inline(key),
    }
    message = refused(taken_in(api, json.dumps(stranger)), "refused")
    assert "mallory (system:masters) is signed by an authority that it does not know" in message


def test_the_key_of_another_certificate_is_refused_by_name(api, south):
    mixed, other = json.loads(south.kubeconfig()), south.kubeconfig()
    mixed["users"][0]["user"]["client-key-data"] = keys_of(other)[1]
    message = refused(taken_in(api, json.dumps(mixed)), "key_mismatch")
    assert message == "Its client-key-data is not the key of its client-certificate-data."


def test_the_servers_certificate_is_judged_as_ever(api, tls, another_ca):
    """The certificate is shown through TLS settings of its own: they ask no less of the other side."""
    kubeconfig = json.loads(tls.kubeconfig())
    entry = kubeconfig["clusters"][0]["cluster"]
    wrong = kubeconfig | {"clusters": [{"name": "sandbox", "cluster": entry | ca_of(another_ca)}]}
    assert "not signed by this CA" in refused(taken_in(api, json.dumps(wrong)), "wrong_ca")
    systems = {key: value for key, value in entry.items() if key == "server"}
    wrong = kubeconfig | {"clusters": [{"name": "sandbox", "cluster": systems}]}
    refused(taken_in(api, json.dumps(wrong)), "wrong_ca")
    named = entry | {"server": tls.url.replace("127.0.0.1", "127.0.0.2")}
    wrong = kubeconfig | {"clusters": [{"name": "sandbox", "cluster": named}]}
    refused(taken_in(api, json.dumps(wrong)), "wrong_name")
    assert taken_in(api, json.dumps(kubeconfig)).status_code == 201


def ca_of(pem: str) -> dict[str, str]:
    return {"certificate-authority-data": inline(pem)}


def test_the_page_takes_it_and_says_what_is_wrong_with_one(south):
    page, address = browser("root"), reverse("cluster-new")
    mixed = json.loads(south.kubeconfig())
    mixed["users"][0]["user"]["client-key-data"] = keys_of(south.kubeconfig())[1]
    answer = page.post(address, {"name": "south", "kubeconfig": json.dumps(mixed)})
    assert answer.status_code == 422
    assert "Its client-key-data is not the key of its client-certificate-data." in answer.content.decode()
    assert mixed["users"][0]["user"]["client-key-data"] not in answer.content.decode()
    answer = page.post(address, {"name": "south", "kubeconfig": south.kubeconfig("ann", "system:masters")})
    assert answer.status_code == 302, answer.content
    assert Cluster.objects.get().signs_in_as == "ann (system:masters)"


def test_that_it_ends_soon_is_told_ahead_of_thirty_days(api, south):
    for days, words in ((40, ""), (20, "in 19 days"), (1, "within two days")):
        answer = taken_in(api, south.kubeconfig(lasting_seconds=days * DAY_SECONDS))
        assert answer.status_code == 201, answer.content
        root, pk = api("root"), answer.json()["id"]
        found = root.post(f"clusters/{pk}/check").json()
        page = browser("root").get(reverse("cluster-detail", args=[pk])).content.decode()
        assert found["check_error"] == ""
        assert bool(found["warnings"]) == bool(words)
        for told in found["warnings"]:
            assert told.startswith("The client certificate ends on 20")
            assert words in told
            assert told in page
        assert ("The client certificate ends" in page) == bool(words)
        Cluster.objects.all().delete()


def test_a_renewed_certificate_is_used_from_then_on_and_a_token_may_follow(api, south):
    root, pk = api("root"), taken_in(api, south.kubeconfig("first")).json()["id"]
    first = connections.client_of(pk)
    done = root.request("put", f"clusters/{pk}/access", {"kubeconfig": south.kubeconfig("second")})
    assert done.status_code == 200, done.content
    assert done.json()["signs_in_as"] == "second (system:masters)"
    second = connections.client_of(pk)
    assert second is not first
    assert who(second) == "second"
    given = {"server": south.url, "token": south.token, "ca": south.ca}
    done = root.request("put", f"clusters/{pk}/access", given)
    assert (done.json()["signs_in_as"], done.json()["credential_expires_at"]) == ("", None)
    assert who(connections.client_of(pk)) == "system:serviceaccount:ovim-system:ovim"


def test_its_key_goes_under_a_new_encryption_key_with_all_else(api, south, settings):
    pk = taken_in(api, south.kubeconfig("ann", "system:masters")).json()["id"]
    old, new = settings.OVIM_CREDENTIAL_KEYS[0], b"n" * 32
    before = bytes(Cluster.objects.get().credential)
    settings.OVIM_CREDENTIAL_KEYS = (new, old)
    call_command("secrets", "rotate")
    settings.OVIM_CREDENTIAL_KEYS = (new,)
    assert bytes(Cluster.objects.get().credential) != before
    Cluster.objects.update(access_generation=2)  # so that the client is made anew
    assert who(connections.client_of(pk)) == "ann"


def who(client: Client) -> str:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = client.raw("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
    return str(answer["status"]["userInfo"]["username"])


def test_lists_watches_and_writes_go_by_it(api, south):
    taken_in(api, south.kubeconfig("ann"))
    client = connections.client_of(Cluster.objects.get().pk)
    kind = next(iter(WATCHED))
    _, version = client.list(kind)
    assert list(client.watch(kind, version, seconds=1)) is not None
    assert client.raw("POST", "/api/v1/namespaces", {"metadata": {"name": "by-ann"}})["metadata"]["name"] == "by-ann"
    south.sandbox.request("DELETE", "/api/v1/namespaces/by-ann")


def test_a_certificate_that_ends_later_is_a_lost_cluster_that_says_why(api, south):
    pk = taken_in(api, south.kubeconfig()).json()["id"]
    over = json.loads(south.kubeconfig(lasting_seconds=-60))["users"][0]["user"]
    certificate, key = (
        base64.b64decode(over[name]).decode() for name in ("client-certificate-data", "client-key-data")
    )
    Cluster.objects.update(certificate=certificate, credential=secrets.encrypt(key), access_generation=2)
    found = api("root").post(f"clusters/{pk}/check").json()
    assert "The client certificate ended on 20" in found["check_error"]
    assert "Renew the credential." in found["warnings"][0]
    Cluster.objects.update(warnings=["it ends within two days"], failing_since=Now())
    look_into_all()  # which asks a lost cluster nothing
    found = api("root").get(f"clusters/{pk}").json()
    assert "Renew the credential." in found["warnings"][0]
    with pytest.raises(KubeError) as told:
        connections.client_of(pk).raw("GET", "/version")
    assert told.value.status == 401


def test_the_key_lies_on_no_disk_in_clear_and_nothing_of_it_stays(tmp_path, monkeypatch):
    certificate, key = ClientAuthority(tmp_path / "ca").issue("ann", [], timedelta(days=1))
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    seen: list[str] = []

    class Looking(ssl.SSLContext):
        """It looks at what it is given before it reads it."""

        def load_cert_chain(self, certfile, keyfile=None, password=None):
            path = Path(certfile)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            seen.append(path.read_text())
            super().load_cert_chain(certfile, keyfile, password)

    monkeypatch.setattr(ssl, "create_default_context", lambda **_: Looking(ssl.PROTOCOL_TLS_CLIENT))
    certificates.context(certificate, key)
    assert len(seen) == 1
    assert "BEGIN ENCRYPTED PRIVATE KEY" in seen[0]
    assert key.splitlines()[1] not in seen[0]
    with pytest.raises(TypeError):
        serialization.load_pem_private_key(seen[0][seen[0].index("-----BEGIN ENC") :].encode(), None)
    assert os.listdir(folder) == []
