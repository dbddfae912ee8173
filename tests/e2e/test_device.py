"""A command that is signed in by a browser: the real command, a real browser, and npm's certified oidc-provider outside."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tenancy.models import Session
from tenancy.oidc.rows import IdentityProvider, ProviderSession
from tenancy.services import identity_providers
from tests.cast import actor_of, make_person
from tests.cli.conftest import Ovim
from tests.e2e.conftest import SHOTS, Visitor
from tests.e2e.test_oidc import RealProvider, _provider, provider  # noqa: F401  # fixtures
from tests.e2e.test_pages import look

pytestmark = pytest.mark.slow


@pytest.fixture
def ovim(tmp_path: Path) -> Ovim:
    return Ovim(tmp_path, tmp_path / "pycache")


@pytest.fixture
def waiting(ovim: Ovim, portal: str) -> Iterator[Any]:
    """`ovim login --web` as it waits; the address it tells, and its code."""
    process = ovim.start("login", "--server", portal, "--web")
    assert process.stderr is not None
    said = process.stderr.readline() + process.stderr.readline()
    address, code = re.search(r"Open (\S+)", said), re.search(r"this code: (\S+)", said)
    assert address is not None, said
    assert code is not None, said
    yield process, address[1], code[1]
    process.kill()
    process.wait()


def test_by_the_organizations_provider(provider: RealProvider, waiting, ovim, visit: Callable[..., Visitor]):  # noqa: F811
    process, address, code = waiting
    page: Any = visit(None).page()
    page.goto(address)
    page.get_by_label("E-mail address or organization").fill("acme")
    page.get_by_role("button", name="Find your sign-in").click()
    page.get_by_role("link", name="Sign in with Corporate").click()
    page.get_by_label("Login").fill("dora")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Sign a command in").wait_for()  # back where the command sent us
    assert page.get_by_label("Code").input_value() == code
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name=re.compile("^ovim on .+ wants to sign in as you$")).wait_for()
    assert page.get_by_text(code).is_visible()
    page.get_by_role("button", name="Sign it in").click()
    page.get_by_text("is signed in as you in a moment").wait_for()

    out, said = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, ""), said
    assert "as dora." in said
    assert ovim.ok("auth", "can-i", "organization.edit", "organization/acme").strip() == "yes"
    page.reload()
    assert page.get_by_role("rowheader", name=re.compile("^ovim on ")).is_visible()

    # It came through the provider, as the browser did: without that it is no good either.
    assert ProviderSession.objects.filter(session__user__username="dora").count() == 2
    make_person("alice")
    identity_providers.edit_provider(
        actor=actor_of(make_person("root")), provider=IdentityProvider.objects.get(), changes={"enabled": False}
    )
    assert "The session has ended" in ovim.refused(4, "get", "vdcs")
    assert not Session.objects.filter(user__username="dora", revoked_at=None).exists()


def test_denied_by_who_did_not_begin_it(waiting, visit: Callable[..., Visitor]):
    process, address, _code = waiting
    page: Any = visit("bob").page()
    page.goto(address)
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Deny").click()
    page.get_by_text("is not signed in.").wait_for()
    _out, said = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "It was denied in the browser" in said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_pages_are_sound(waiting, visit: Callable[..., Visitor], scheme):
    """In both themes and on every width: nothing for axe to say, and both buttons can be reached on a telephone."""
    _process, address, _code = waiting
    page: Any = visit("bob", color_scheme=scheme).page()
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.goto(address)
    look(page, "device-code", scheme)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Sign it in").wait_for()
    look(page, "device-confirm", scheme)
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for name in ("Sign it in", "Deny"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
    page.goto("/account/sessions/")
    look(page, "sessions", scheme)
