"""The portal as people meet it: web and live server as processes, a browser in front. Nothing is skipped in CI."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.cast import PASSWORD, make_person
from tests.live.conftest import ROOT, LiveServer, answers, free_port

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SHOTS = Path(ROOT) / "var" / "shots"


@pytest.fixture(scope="session")
def portal(django_db_setup: None) -> Iterator[str]:
    """The address of the portal; its live server has another port, as in the demo."""
    url = f"http://127.0.0.1:{free_port()}"
    with LiveServer(OVIM_PUBLIC_URL=url) as live:
        serve = ("--interface", "wsgi", "--workers", "1", "--blocking-threads", "4", "--log-level", "warning")
        place = ("--host", "127.0.0.1", "--port", url.rpartition(":")[2])
        process = subprocess.Popen(
            [sys.executable, "-m", "granian", *serve, *place, "ovim_site.wsgi:application"],
            cwd=ROOT,
            env=os.environ | {"OVIM_PUBLIC_URL": url, "OVIM_LIVE_URL": live.url},
        )
        answers(f"{url}/healthz")
        yield url
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not os.environ.get("CI") and not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed")
    # Playwright's loop runs in this thread: Django must not take that for an asynchronous view.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@dataclass
class Visitor:
    """Somebody at the portal. `complaints`: what the browser found wrong (console errors, refused by the CSP)."""

    context: BrowserContext
    portal: str
    complaints: list[str] = field(default_factory=list)

    def page(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        return page

    def _hear(self, message: Any) -> None:
        # A refused form is a 4xx on purpose, which Chromium reports as an error of the network.
        known = any(status in message.text for status in ("404", "409", "412", "422"))
        if message.type in ("error", "warning") and not known:
            self.complaints.append(message.text)


@pytest.fixture
def visit(live_db: None, portal: str, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """`visit("alice")` is signed in; `visit(None)` is not. Other arguments are the browser context's."""
    made: list[Visitor] = []

    def visitor(name: str | None, **options: Any) -> Visitor:
        context = browser.new_context(base_url=portal, **options)
        found = Visitor(context, portal)
        made.append(found)
        if name:
            make_person(name)
            sign_in(context, name)
        return found

    yield visitor
    for one in made:
        one.context.close()
        assert one.complaints == []


def sign_in(context: BrowserContext, name: str) -> None:
    """By the form's own request, without a page: the sign-in page has a test of its own."""
    request = context.request
    request.get("/sign-in/")
    token = next(cookie["value"] for cookie in context.cookies() if cookie["name"] == "csrftoken")
    form: dict[str, str | float | bool] = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token}
    assert request.post("/sign-in/", form=form, max_redirects=0).status == 302
