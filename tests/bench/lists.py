"""The list of VMs at 100,000 of them, by role and page, beside the bare server; and what it costs to add one more."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import urllib3
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import access
from core.rights import Right
from tenancy.api import tokens
from tenancy.models import User
from tests.bench import crowd
from tests.bench.ground import Ground
from tests.bench.table import Goal, Row
from tests.cast import Api, actor_of, session_of
from vms.models import VirtualMachine

ROUNDS, WARM_UP = 150, 25
PAGE = 100
MOST_TIMES, MOST_SPREAD, MOST_QUERIES, MOST_RLS = 3.5, 1.3, 20, 1.3


def measure(ground: Ground) -> Iterator[Row]:
    people = crowd.tenants()
    few = _queries(people, "before")
    crowd.fill(people)
    ground.start("web")
    floor = ground.serve("bare", "tests.bench.bare:application")
    unbounded = ground.serve("unbounded", "tests.bench.unbounded:application")
    yield from _lists(ground.site.web_url, floor, people)
    yield from _second_line(ground.site.web_url, unbounded, people)
    yield from _create(ground.site.web_url, people, few)


def _lists(web: str, bare: str, people: crowd.Crowd) -> Iterator[Row]:
    http = urllib3.PoolManager(maxsize=4)
    calls: dict[tuple[str, str], tuple[Callable[[], bytes], Callable[[], bytes]]] = {}
    narrowed = {
        "system admin": (people.root, {}),
        "organization admin": (people.lara, {"organization": str(people.large.organization_id)}),
        "user with 50": (people.bob, {"owner": str(people.bob.pk)}),
    }
    for who, (user, where) in narrowed.items():
        headers = _headers(user)
        for page, after in _pages(user).items():
            query = {"limit": str(PAGE)} | ({"after": after} if after else {})
            calls[who, page] = (
                _get(http, f"{web}/api/v1/vms?{urlencode(query)}", headers),
                _get(http, f"{bare}/vms?{urlencode(query | where)}", {}),
            )
    ours, floors = medians(calls)
    yield from _told(ours, floors)


def _second_line(web: str, unbounded: str, people: crowd.Crowd) -> Iterator[Row]:
    """The same lists, and the cheapest request there is, with and without PostgreSQL's row-level security."""
    http = urllib3.PoolManager(maxsize=4)
    asked = {
        "list, system admin": (people.root, "vms?limit=100"),
        "list, organization admin": (people.lara, "vms?limit=100"),
        "list, user with 50": (people.bob, "vms?limit=100"),
        "who am I": (people.bob, "me"),
    }
    calls = {
        what: (
            _get(http, f"{web}/api/v1/{path}", _headers(user)),
            _get(http, f"{unbounded}/api/v1/{path}", _headers(user)),
        )
        for what, (user, path) in asked.items()
    }
    ours, without = medians(calls)
    lists = [what for what in asked if what.startswith("list")]
    worst = max(lists, key=lambda what: ours[what] / without[what])
    yield Row(
        "rls-cost", ours[worst] / without[worst], "×", None, Goal("≤", MOST_RLS),
        f"the worst of the lists: {worst}; {ours[worst]:.2f} ms with, {without[worst]:.2f} ms without",
    )  # fmt: skip
    for what, value in ours.items():
        yield Row(f"rls-cost: {what}", value - without[what], "ms")


def _told(ours: dict[tuple[str, str], float], floors: dict[tuple[str, str], float]) -> Iterator[Row]:
    worst, _ = max(ours.items(), key=lambda pair: pair[1] / floors[pair[0]])
    yield Row(
        "vm-list-100k", ours[worst], "ms", floors[worst], Goal("≤", MOST_TIMES, "ratio"),
        f"the worst against its floor: {', '.join(worst)} page",
    )  # fmt: skip
    dearest, cheapest = max(ours.values()), min(ours.values())
    where, _ = max(ours.items(), key=lambda pair: pair[1])
    yield Row(
        "vm-list-100k-spread", dearest / cheapest, "×", None, Goal("≤", MOST_SPREAD),
        f"dearest: {', '.join(where)} page",
    )  # fmt: skip
    for key, value in ours.items():
        yield Row(f"vm-list-100k: {', '.join(key)} page", value, "ms", floors[key])


def _pages(user: User) -> dict[str, str]:
    """First and last: the key after which the last page begins. Who has one page only has no other."""
    seen = access.visible(actor_of(user), VirtualMachine.objects.order_by("-pk"), Right.VM_VIEW)
    before = seen.values_list("pk", flat=True)[PAGE : PAGE + 1].first() if seen.count() > PAGE else None
    return {"first": ""} | ({"last": str(before)} if before else {})


def _headers(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.issue(session_of(user))['access']}"}


def _get(http: urllib3.PoolManager, url: str, headers: dict[str, str]) -> Callable[[], bytes]:
    def call() -> bytes:
        answer = http.request("GET", url, headers=headers)
        assert answer.status == 200, answer.data
        return answer.data

    return call


def medians(
    calls: dict[Any, tuple[Callable[[], bytes], Callable[[], bytes]]],
) -> tuple[dict[Any, float], dict[Any, float]]:
    """In milliseconds. All take turns, so that what else the machine does falls on all of them alike."""
    ours: dict[Any, list[float]] = {key: [] for key in calls}
    floors: dict[Any, list[float]] = {key: [] for key in calls}
    for number in range(WARM_UP + ROUNDS):
        for key, (call, bare) in calls.items():
            for kept, one in ((ours[key], call), (floors[key], bare)):
                began = time.perf_counter()
                one()
                if number >= WARM_UP:
                    kept.append((time.perf_counter() - began) * 1000)
    return _middle(ours), _middle(floors)


def _middle(times: dict[Any, list[float]]) -> dict[Any, float]:
    return {key: statistics.median(values) for key, values in times.items()}


# --- adding one -----------------------------------------------------------------------------------------------------


def _body(people: crowd.Crowd, name: str) -> dict[str, Any]:
    from catalogs.models import CatalogItem

    return {"vdc": str(people.small.pk), "name": name, "catalog_item": str(CatalogItem.objects.get(name="jammy").pk)}


def _queries(people: crowd.Crowd, name: str) -> set[int]:
    """How many it takes, in this process: nothing else shows them. The first one fills caches."""
    api = Api(session_of(people.carl))
    counts = []
    for number in range(4):
        with CaptureQueriesContext(connection) as captured:
            answer = api.post("vms", _body(people, f"{name}-{number}"))
        assert answer.status_code == 201, answer.content
        counts.append(len(captured))
    return set(counts[1:])


def _create(web: str, people: crowd.Crowd, few: set[int]) -> Iterator[Row]:
    many = _queries(people, "after")
    constant = len(few | many) == 1
    note = f"{'constant' if constant else 'NOT constant'}: with 0 VMs {sorted(few)}, with 100,000 {sorted(many)}"
    most = float(max(few | many)) if constant else float("inf")
    yield Row("vm-create", most, "queries", None, Goal("≤", MOST_QUERIES), note)
    http = urllib3.PoolManager()
    headers, times = _headers(people.carl), []
    for number in range(60):
        began = time.perf_counter()
        answer = http.request("POST", f"{web}/api/v1/vms", json=_body(people, f"new-{number}"), headers=headers)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status == 201, answer.data
    yield Row("vm-create: time", statistics.median(times[10:]), "ms")
