"""What it costs to know who asks: signature, session and the access decision, beside the same view without them."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.bench import crowd
from tests.bench.ground import Ground
from tests.bench.table import Goal, Row
from tests.cast import session_of

ROUNDS, WARM_UP = 2000, 200
MOST_MS, MOST_QUERIES = 1.0, 1


def measure(ground: Ground) -> Iterator[Row]:
    from tenancy.api import tokens

    people = crowd.tenants()
    header = {"Authorization": f"Bearer {tokens.issue(session_of(people.bob))['access']}"}
    ours, bare = _views()
    make = RequestFactory()

    def asked(headers: dict[str, str]) -> Any:
        """As `ovim_site.middleware` hands it on."""
        request: Any = make.get("/", headers=headers)
        request.address, request.request_id = "127.0.0.1", "bench"
        return request

    ours(asked(header))
    with CaptureQueriesContext(connection) as captured:
        assert ours(asked(header)).status_code == 200
    mine, floor = _medians([lambda: ours(asked(header)), lambda: bare(asked({}))])
    note = f"{mine:.2f} ms with, {floor:.2f} ms without"
    yield Row("auth-overhead", mine - floor, "ms", None, Goal("≤", MOST_MS), note)
    yield Row("auth-overhead: queries", float(len(captured)), "queries", None, Goal("≤", MOST_QUERIES))


def _views() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The same answer, for who may see machines, and for everybody."""
    from rest_framework.response import Response

    from core import access
    from core.api.base import ApiView
    from core.enforce import PUBLIC
    from core.rights import Right
    from vms.models import VirtualMachine

    class Ours(ApiView):
        rights = {"get": Right.VM_VIEW}

        def get(self, request: Any) -> Response:
            assert access.reach(self.actor, VirtualMachine, Right.VM_VIEW) is not None
            return Response({"ok": True})

    class Bare(ApiView):
        authentication_classes = ()
        rights = {"get": PUBLIC}

        def get(self, request: Any) -> Response:
            return Response({"ok": True})

    return Ours.as_view(), Bare.as_view()


def _medians(calls: list[Callable[[], Any]]) -> list[float]:
    """In milliseconds; they take turns, so that what else the machine does falls on both alike."""
    times: list[list[float]] = [[] for _ in calls]
    for number in range(WARM_UP + ROUNDS):
        for kept, call in zip(times, calls, strict=True):
            began = time.perf_counter()
            call()
            if number >= WARM_UP:
                kept.append((time.perf_counter() - began) * 1000)
    return [statistics.median(values) for values in times]
