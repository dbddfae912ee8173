"""Is this process alive, and can it serve? For the platform that runs it."""

import logging
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from core.enforce import public

log = logging.getLogger(__name__)
REDIS_SECONDS = 0.2


@public
@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """The process answers. Looks at nothing else: a database that is away is no reason to restart the web server."""
    return HttpResponse("ok\n", content_type="text/plain")


@public
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Requests can be served: the database is there and migrated. Redis is told of, but not needed (Promise 3)."""
    parts: dict[str, Any] = {"database": _database(), "redis": _redis()}
    fine = parts["database"] == "ok"
    return JsonResponse({"ready": fine, "parts": parts}, status=200 if fine else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return "ok" if _migrated() else "migrations are pending: run `manage.py migrate --database=owner`"
    except DatabaseError as error:
        log.warning("not ready: %s", error)
        return "can't be reached"


_applied: dict[str, bool] = {}


def _migrated() -> bool:
    """Whether all migrations of this code are applied. Once they are, they stay so for the life of the process."""
    if not _applied.get("all"):
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        _applied["all"] = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _applied["all"]


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.OVIM_REDIS_URL, socket_connect_timeout=REDIS_SECONDS, socket_timeout=REDIS_SECONDS
    )


def _redis() -> str:
    try:
        _client().ping()
    except redis.RedisError:
        return "can't be reached: live updates stand still, work is found by the sweep within seconds"
    return "ok"
