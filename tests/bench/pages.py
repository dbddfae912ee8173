"""The portal's list of VMs at 100,000 of them, by role and page, beside the API's list of as many; and what it weighs.

Both are asked as a browser asks, compressed. The page goes newest first or by name, the API by id: each by its index.
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlencode, urljoin

import urllib3
from django.conf import settings
from django.contrib.sessions.backends.signed_cookies import SessionStore

from tenancy.api import tokens
from tenancy.middleware import COOKIE_KEY
from tenancy.models import User
from tests.bench import crowd
from tests.bench.ground import Ground
from tests.bench.lists import medians
from tests.bench.table import Goal, Row
from tests.cast import session_of

PAGE = 50
MOST_TIMES, FIRST_KB, FURTHER_KB = 3.0, 150.0, 25.0
SEARCH = "vm-4711"  # eleven machines, all over the list
ENCODINGS = "gzip, br"
AS_FROM_THE_INGRESS = {"Accept-Encoding": ENCODINGS, "X-Forwarded-Proto": "https"}
_HREF = re.compile(r'(?:href|src)="(/static/[^"#?]+)')
_IMPORT = re.compile(r'(?:from|import)\s*\(?\s*"(\.[^"]+)"')


def measure(ground: Ground) -> Iterator[Row]:
    people = crowd.tenants()
    crowd.fill(people)
    ground.start("web")
    web = ground.site.web_url
    yield from _times(web, people)
    yield from _weights(web, people)


def _times(web: str, people: crowd.Crowd) -> Iterator[Row]:
    http = urllib3.PoolManager(maxsize=4)
    calls: dict[tuple[str, str], tuple[Callable[[], bytes], Callable[[], bytes]]] = {}
    for who, user in (("system admin", people.root), ("organization admin", people.lara), ("user with 50", people.bob)):
        cookie, bearer = _cookie(user), _bearer(user)
        for name, (query, like) in _addresses(http, web, cookie, bearer).items():
            calls[who, name] = (
                _get(http, f"{web}/vms/{query}", cookie),
                _get(http, f"{web}/api/v1/vms?{urlencode({'limit': PAGE} | like)}", bearer),
            )
    ours, floors = medians(calls)
    worst, _ = max(ours.items(), key=lambda pair: pair[1] / floors[pair[0]])
    yield Row(
        "vm-page-100k", ours[worst], "ms", floors[worst], Goal("≤", MOST_TIMES, "ratio"),
        f"the worst against the API's list: {', '.join(worst)}",
    )  # fmt: skip
    for key, value in ours.items():
        yield Row(f"vm-page-100k: {', '.join(key)}", value, "ms", floors[key])


def _addresses(
    http: urllib3.PoolManager, web: str, cookie: dict[str, str], bearer: dict[str, str]
) -> dict[str, tuple[str, dict[str, str]]]:
    """Name → the page's query, and what to ask the API for instead. Who has one page only has no second."""
    found = {"first page": ("", {}), "by name": ("?sort=name", {}), "search": (f"?q={SEARCH}", {"q": SEARCH})}
    page = http.request("GET", f"{web}/vms/", headers=cookie).data.decode()
    further = re.search(r'href="/vms/(\?after=[^"]+)"', page)
    answer = http.request("GET", f"{web}/api/v1/vms?limit={PAGE}", headers=bearer).json()
    if further and answer["next"]:
        found["second page"] = (further.group(1), {"after": answer["next"]})
    return found


def _cookie(user: User) -> dict[str, str]:
    store = SessionStore()
    store[COOKIE_KEY] = str(session_of(user).pk)
    store.save()
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={store.session_key}", **AS_FROM_THE_INGRESS}


def _bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.issue(session_of(user))['access']}", **AS_FROM_THE_INGRESS}


def _get(http: urllib3.PoolManager, url: str, headers: dict[str, str]) -> Callable[[], bytes]:
    def call() -> bytes:
        answer = http.request("GET", url, headers=headers, decode_content=False)
        assert answer.status == 200, answer.data
        return answer.data

    return call


# --- weight ---------------------------------------------------------------------------------------------------------


def _weights(web: str, people: crowd.Crowd) -> Iterator[Row]:
    """What goes over the wire: the page, and on the first visit everything that it loads, imports too."""
    http, headers = urllib3.PoolManager(), _cookie(people.root)
    page, body = _fetched(http, f"{web}/vms/", headers)
    assets = _assets(http, web, body, headers)
    heaviest = sorted(assets.items(), key=lambda item: -item[1])[:3]
    told = ", ".join(f"{name.removeprefix('/static/')} {size / 1000:.1f}" for name, size in heaviest)
    first = (page + sum(assets.values())) / 1000
    yield Row(
        "page-weight", first, "kB", None, Goal("≤", FIRST_KB), f"page {page / 1000:.1f}, {len(assets)} files; {told}"
    )
    yield Row("page-weight: a further page", page / 1000, "kB", None, Goal("≤", FURTHER_KB), "50 rows of HTML")


def _assets(http: urllib3.PoolManager, web: str, page: str, headers: dict[str, str]) -> dict[str, int]:
    """Every static file that the page needs → its bytes as sent."""
    waiting, found = set(_HREF.findall(page)), {}
    while waiting:
        name = waiting.pop()
        found[name], text = _fetched(http, web + name, headers)
        if name.endswith(".js"):
            waiting |= {urljoin(name, other) for other in _IMPORT.findall(text)} - set(found)
    return found


def _fetched(http: urllib3.PoolManager, url: str, headers: dict[str, str]) -> tuple[int, str]:
    raw = http.request("GET", url, headers=headers, decode_content=False)
    assert raw.status == 200, url
    size = len(raw.data)
    return size, http.request("GET", url, headers=headers).data.decode()
