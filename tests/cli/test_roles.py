"""Roles, groups, bindings and questions about access by the command."""

import pytest

from tenancy.models import Group, Role, RoleBinding
from tests.cast import make_person, make_user
from tests.domain import a_vm


@pytest.fixture
def alice(ovim, server, vdc):
    make_person("alice")
    make_user("nina", home=vdc.organization)
    done = ovim.login(server, "alice")
    assert done.returncode == 0, done.stderr
    return ovim


def test_a_role_from_nothing_to_its_end(alice, vdc):
    web = a_vm(vdc, "web")
    alice.ok("create", "role", "operator", "--org", "acme", "--right", "vm.view", "--right", "vm.power")
    assert alice.ok("get", "roles", "-o", "name").split() == ["operator"]
    assert "vm.power" in alice.ok("describe", "role", "operator")
    alice.ok("create", "role-binding", "nina", "operator", "--vm", "acme/dev/web", "--until", "30d")
    binding = RoleBinding.objects.get(user__username="nina")
    assert (binding.vm_id, binding.custom, binding.expires_at is not None) == (web.pk, Role.objects.get(), True)
    assert "vm acme/dev/web" in alice.ok("get", "role-bindings")
    assert "given to nina" in alice.refused(5, "delete", "role/operator", "--yes")
    alice.ok("delete", f"role-binding/{binding.pk}", "--yes")
    alice.ok("delete", "role/operator", "--yes")
    assert not Role.objects.exists()


def test_a_group_has_people_and_roles(alice, vdc):
    alice.ok("create", "group", "ops", "--org", "acme", "--external", "grp-ops")
    alice.ok("create", "membership", "ops", "nina")
    assert "nina" in alice.ok("get", "memberships")
    alice.ok("create", "role-binding", "ops", "vdc_admin", "--group", "--vdc", "acme/dev")
    assert "ops" in alice.ok("get", "role-bindings")
    assert RoleBinding.objects.get(group__name="ops").vdc_id == vdc.pk
    alice.ok("delete", "group/ops", "--yes")
    assert not Group.objects.exists()


def test_whether_one_may_and_by_what(alice, vdc):
    a_vm(vdc, "web")
    said = alice("auth", "can-i", "stop", "vm/web")
    assert (said.returncode, said.stdout) == (0, "yes\n")
    assert "As Organization admin, at the level of the organization." in said.stderr
    no = alice("auth", "can-i", "vm.power", "vm/acme/dev/web", "--user", "nina")
    assert (no.returncode, no.stdout) == (1, "no\n")
    assert "No role of nina gives vm.power." in no.stderr
    assert "Organization admin of acme: alice" in no.stderr
    assert alice("auth", "can-i", "organization.create", "system").returncode == 1
    assert '"allowed": false' in alice("auth", "can-i", "vm.power", "vm/web", "--user", "nina", "-o", "json").stdout
    assert "can't be asked about" in alice.refused(2, "auth", "can-i", "edit", "token/ci")
    assert "nothing" in alice.refused(3, "auth", "can-i", "edit", "vm/nothing")


def test_a_time_that_is_none_is_refused_before_anything_is_sent(alice):
    assert "--until tomorrow" in alice.refused(2, "create", "role-binding", "nina", "user", "--until", "tomorrow")


def test_the_end_of_a_role_is_edited(alice, vdc, tmp_path):
    alice.ok("create", "role-binding", "nina", "user", "--vdc", "acme/dev", "--until", "30d")
    binding = RoleBinding.objects.get(user__username="nina")
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/^expires_at:.*/expires_at: null/' \"$1\"\n")
    editor.chmod(0o700)
    alice.env["EDITOR"] = str(editor)
    assert "expires_at" in alice("edit", f"role-binding/{binding.pk}").stderr
    binding.refresh_from_db()
    assert binding.expires_at is None
    assert "Nothing was changed" in alice("edit", f"role-binding/{binding.pk}").stderr
