"""Clusters by hand at the portal: forms over HTTP, without a browser."""

import pytest

from clusters.models import Cluster
from tests.clusters.fleet import Prepared
from tests.portal import browser, text

pytestmark = pytest.mark.django_db


def test_registered_edited_checked_renewed_and_removed(east: Prepared):
    root = browser("root")
    assert "Register cluster" in text(root.get("/clusters/"))
    made = root.fill("/clusters/new/", name="east", display_name="East", server=east.url, token=east.token)
    cluster = Cluster.objects.get()
    page = f"/clusters/{cluster.pk}/"
    assert (made.status_code, made.headers["Location"]) == (302, page)
    shown = text(root.get(page))
    for words in ("v1.36.2", "Export of VMs not there", "3 amd64", "default for VMs", "ReadWriteMany", "Reached"):
        assert words in shown, words
    assert (
        root.fill(f"{page}edit/", display_name="Orient", is_default="on", oidc_username_claim="username").status_code
        == 302
    )
    cluster.refresh_from_db()
    assert (cluster.display_name, cluster.schedulable) == ("Orient", False)
    assert "Takes nothing new" in text(root.get(page))
    refused = root.fill(f"{page}edit/", display_name="Orient", oidc_username_claim="username")
    assert refused.status_code == 422
    assert "There is always a default cluster" in text(refused)
    assert root.fill(f"{page}check/").status_code == 302
    assert "All is as it should be" in text(root.get(page))
    renewed = root.fill(f"{page}access/", server=east.url, token=east.token)
    assert renewed.status_code == 302
    cluster.refresh_from_db()
    assert cluster.access_generation == 2
    assert root.fill(f"{page}drain/").status_code == 302
    assert root.fill(f"{page}delete/").status_code == 302
    assert not Cluster.objects.exists()


def test_a_refusal_stands_at_its_field_and_no_secret_comes_back(east: Prepared):
    root = browser("root")
    answer = root.fill("/clusters/new/", name="east", server="https://169.254.169.254", token=east.token, ca="x")
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "That is no certificate" in page[page.index('id="id_ca_error"') :][:400]
    assert east.token not in page
    both = root.fill("/clusters/new/", name="east", kubeconfig="a: secret-of-mine", server="https://x", token="y")
    assert both.status_code == 422
    assert "not both" in text(both)
    assert "secret-of-mine" not in both.content.decode()
    assert not Cluster.objects.exists()


def test_others_see_no_button_and_no_page(east: Prepared):
    root = browser("root")
    root.fill("/clusters/new/", name="east", server=east.url, token=east.token)
    page = f"/clusters/{Cluster.objects.get().pk}/"
    for verb in ("", "edit/", "access/", "check/", "drain/", "delete/", "forget/"):
        assert browser("alice").get(page + verb).status_code == 403
