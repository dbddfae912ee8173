"""The portal without a browser: signed-in clients, and forms as a browser would send them."""

import re
from typing import Any

from django.conf import settings
from django.test import Client

from tenancy.middleware import COOKIE_KEY
from tenancy.models import User
from tests.cast import make_person, session_of

_HIDDEN = re.compile(r'<input type="hidden" name="(key|generation)" value="([^"]*)"')


class Browser(Client):
    def fill(self, address: str, *, live: Any = False, seen: Any = None, **given: Any) -> Any:
        """Open the form at the address and send it; `seen`: an earlier page of it, whose hidden fields are sent."""
        page = seen or self.get(address)
        assert seen is not None or page.status_code < 400, page.status_code
        hidden = dict(_HIDDEN.findall(page.content.decode()))
        headers = {"HX-Request": "true"} if live else {}
        return self.post(address, hidden | given, headers=headers)


def browser(who: str | User) -> Browser:
    """Signed in as one of the cast or as that person."""
    client = Browser()
    session = client.session
    session[COOKIE_KEY] = str(session_of(make_person(who) if isinstance(who, str) else who).pk)
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client


def text(answer: Any) -> str:
    """The words of a page, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))
