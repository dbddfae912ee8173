"""Access tokens and service accounts by the command, and signing in with a second factor."""

import pyotp
import pytest

from core import sealed
from tenancy.models import AccessToken, SecondFactor
from tenancy.services import codes
from tests.cast import PASSWORD, make_person


@pytest.fixture
def alice(ovim, server, vdc):
    make_person("alice")
    done = ovim.login(server, "alice")
    assert done.returncode == 0, done.stderr
    return ovim


def test_makes_a_token_and_works_with_it(alice, server, vdc):
    done = alice("create", "token", "ci", "--days", "7", "--right", "vdc.view", "--right", "vm.view", "--vdc", "dev")
    assert done.returncode == 0, done.stderr
    secret = done.stdout.strip()
    assert secret.startswith("ovim_pat_")
    assert secret not in done.stderr
    assert "ci of alice created" in done.stderr
    listed = alice.ok("get", "tokens")
    assert "ci" in listed
    assert secret not in listed
    program = type(alice)(alice.home / "elsewhere", alice.cache, {"OVIM_SERVER": server, "OVIM_TOKEN": secret})
    assert "dev" in program.ok("get", "vdcs", "-o", "name")
    assert "user.view" in program.refused(4, "get", "users")
    program.env.pop("OVIM_TOKEN")
    assert "dev" in program.ok("--token", secret, "get", "vdcs", "-o", "name")
    assert "not signed in" in program.refused(4, "get", "vdcs")
    assert "deleted" in alice("delete", "token/ci", "--yes").stderr
    program.env["OVIM_TOKEN"] = secret
    assert "The token came from OVIM_TOKEN" in program.refused(4, "get", "vdcs")


def test_a_trial_makes_none(alice):
    alice.ok("create", "token", "ci", "--dry-run")
    assert not AccessToken.objects.exists()


def test_a_service_account_from_nothing_to_work(alice, server, vdc):
    alice.ok("create", "service-account", "ci", "--org", "acme", "--for", "deployments")
    assert alice.ok("get", "service-accounts", "-o", "name") == "ci@acme\n"
    secret = alice.ok("create", "token", "deploy", "--service-account", "ci@acme").strip()
    program = type(alice)(alice.home / "elsewhere", alice.cache, {"OVIM_SERVER": server, "OVIM_TOKEN": secret})
    program.refused(4, "get", "vdcs")
    row = alice.ok("get", "service-account", "ci@acme", "-o", "jsonpath={.id}").strip()
    alice.ok("create", "role-binding", row, "user", "--vdc", "acme/dev")
    assert "dev" in program.ok("get", "vdcs", "-o", "name")
    alice.ok("delete", "service-account/ci@acme", "--yes")
    program.refused(4, "get", "vdcs")


def test_signing_in_with_a_second_factor(ovim, server, vdc):
    secret = pyotp.random_base32()
    SecondFactor.objects.create(
        user=make_person("bob"), secret=sealed.seal(secret, codes.PURPOSE), confirmed_at="2026-01-01T00:00Z"
    )
    arguments = ("login", "--server", server, "--username", "bob", "--password-stdin")
    told = ovim.refused(4, *arguments, text=PASSWORD + "\n")
    assert "authenticator" in told
    assert "--code" in told
    done = ovim(*arguments, "--code", pyotp.TOTP(secret).now(), text=PASSWORD + "\n")
    assert done.returncode == 0, done.stderr
    assert "dev" in ovim.ok("get", "vdcs")
