"""`?dry_run=`: a write that is tried out. What it would do is told by `settings.OVIM_PLANNER`, which knows all apps."""

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import orjson
from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.response import Response

from core.api.json import Raw
from core.api.once import repeatable
from core.trial import Trial, trial


class Planner(Protocol):
    """Takes the facts while the rows are as they would be; tells the plan afterwards, when no lock is held."""

    def __init__(self, trial: Trial) -> None: ...

    def told(self, *, cluster: bool) -> dict[str, Any]: ...


@cache
def _planner() -> type[Planner]:
    planner: type[Planner] = import_string(settings.OVIM_PLANNER)
    return planner


def rehearse(act: Callable[[], Response], mode: str) -> Response:
    """The plan of a write, which is not done. Refusals are raised as the write itself would raise them."""
    with trial() as done:
        response = act()
        planner = _planner()(done)
    row = repeatable(response)  # a secret made up here is none that will ever be good
    plan = {
        "dry_run": mode,
        "status": response.status_code,
        "row": orjson.Fragment(bytes(row)) if isinstance(row, Raw) else row,
        **planner.told(cluster=mode == "cluster"),
    }
    return Response(plan)
