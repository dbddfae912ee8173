"""Inviting people by the command."""

import json

import pytest

from tenancy.models import Invitation
from tests.cast import make_person


@pytest.fixture
def alice(ovim, server, vdc):
    make_person("alice")
    assert ovim.login(server, "alice").returncode == 0
    return ovim


def test_an_invitation_is_made_shown_and_withdrawn(alice):
    """The server of these tests sends no mail: the link is all there is on stdout."""
    done = alice("invite", "eve@example.org", "--vdc", "acme/dev", "--role", "vdc_admin", "--days", "3")
    assert done.stdout.startswith("http")
    assert "/invitation/?token=" in done.stdout
    assert "pass this link on" in done.stderr
    assert "eve@example.org" in alice.ok("get", "invitations")
    (row,) = json.loads(alice.ok("get", "invitations", "-o", "json"))["items"]
    assert (row["state"], row["role"], row["vdc_name"]) == ("open", "vdc_admin", "dev")
    assert "wait a minute" in alice.refused(1, "--no-retry", "resend", "eve@example.org")
    assert "is withdrawn" in alice("delete", "invitation/eve@example.org", "--yes").stderr
    assert Invitation.objects.get().state == "withdrawn"


def test_what_is_refused(alice):
    assert "--org ORG" in alice.refused(2, "invite", "eve@example.org")
    assert "email" in alice.refused(1, "invite", "no", "--org", "acme")
    assert "eve@example.org would be invited" in alice("invite", "eve@example.org", "--org", "acme", "--dry-run").stdout
    assert not Invitation.objects.exists()


def test_a_role_of_the_organizations_own_is_invited_to(alice):
    alice.ok("create", "role", "operator", "--org", "acme", "--right", "vm.view")
    alice("invite", "eve@example.org", "--org", "acme", "--role", "operator")
    assert "operator" in alice.ok("get", "invitations")
    assert Invitation.objects.get().role_name == "operator"
    assert "no role king" in alice.refused(1, "invite", "eve@example.org", "--org", "acme", "--role", "king")
