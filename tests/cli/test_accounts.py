"""People by the command: passwords reset, accounts switched off and on, deleted with an heir. And what rows show."""

import pytest

from clusters.operations import suspend
from tenancy.models import User
from tests.cast import actor_of, make_person
from tests.domain import a_vm
from vms.models import VirtualMachine


@pytest.fixture
def alice(ovim, server, vdc):
    make_person("alice")
    assert ovim.login(server, "alice").returncode == 0
    return ovim


def test_a_password_that_is_made_up_is_the_only_thing_on_stdout(alice, server, ovim):
    password = alice.ok("reset-password", "user/bob").strip()
    assert User.objects.get(username="bob").must_change_password
    assert User.objects.get(username="bob").check_password(password)
    assert alice.ok("reset-password", "user", "bob", "--password-stdin", text="a-very-long-passphrase\n") == ""
    assert User.objects.get(username="bob").check_password("a-very-long-passphrase")
    assert "password_too_short" in alice.refused(1, "reset-password", "user/bob", "--password-stdin", text="short\n")
    assert "not for a vm" in alice.refused(2, "reset-password", "vm/web")


def test_off_and_on(alice, ovim):
    done = alice("disable", "user/bob", "--dry-run")
    assert "user bob would be disabled" in done.stdout
    assert User.objects.get(username="bob").is_active
    assert "user bob is disabled." in alice("disable", "user/bob").stderr
    assert not User.objects.get(username="bob").is_active
    assert "user bob is enabled." in alice("enable", "user/bob").stderr
    assert User.objects.get(username="bob").is_active
    assert "own account" in alice.refused(5, "disable", "user/alice")


def test_an_organization_too(root, vdc):
    assert "organization acme is disabled." in root("disable", "org/acme").stderr
    vdc.organization.refresh_from_db()
    assert vdc.organization.enabled is False
    assert "organization acme is enabled." in root("enable", "org/acme").stderr


def test_a_person_is_deleted_when_the_machines_have_an_heir(alice, vdc, item):
    make_person("vera")
    a_vm(vdc, "web", actor=actor_of(make_person("bob")), power_state="off")
    assert "name an heir" in alice.refused(5, "delete", "user/bob", "--yes")
    assert "has no role" not in alice("delete", "user/bob", "--yes", "--heir", "vera").stderr
    assert not User.objects.filter(username="bob").exists()
    assert VirtualMachine.objects.get().owner == make_person("vera")
    assert "--heir is for users" in alice.refused(2, "delete", "vm/web", "--yes", "--heir", "vera")


def test_bindings_show_names(alice):
    lines = {line.split()[0]: line for line in alice.ok("get", "role-bindings").splitlines()}
    assert "vdc acme/dev" in lines["bob"]
    assert "organization acme" in lines["alice"]


def test_describe_tells_of_a_suspension(root, vdc, item):
    vm = a_vm(vdc, "web", power_state="off")
    assert "Suspended:" not in root.ok("describe", "vm/web")
    suspend(actor=actor_of(make_person("root")), row=vm, reason="moving its storage")
    assert "UTC (0s ago): moving its storage" in root.ok("describe", "vm/web")
