"""Numbers for Prometheus: requests as they happen, the queue as it is when asked."""

import os
import time
from collections.abc import Callable, Iterator

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from clusters.models import Cluster, Reconciled
from core import tenants
from core.enforce import public

REQUESTS = Histogram(
    "ovim_http_request_seconds",
    "Time from a request's arrival to its answer",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})

_QUEUE = """
SELECT c.name, count(w.id), count(w.id) FILTER (WHERE w.due_at <= clock_timestamp()),
  count(w.id) FILTER (WHERE w.leased_until > clock_timestamp()), count(w.id) FILTER (WHERE w.parked_on_id IS NOT NULL),
  coalesce(extract(epoch FROM clock_timestamp() - min(w.due_at) FILTER (WHERE w.due_at <= clock_timestamp())), 0)
FROM clusters_cluster c LEFT JOIN clusters_workitem w ON w.cluster_id = c.id GROUP BY c.name
"""


class Before:
    """Middleware: counts and times every request by route, never by address, which would be without bound."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        method = request.method if request.method in METHODS else "OTHER"
        REQUESTS.labels(method, match.route if match else "none", str(response.status_code)).observe(
            time.perf_counter() - started
        )
        return response


class Clusters(Collector):
    """Read when scraped: which clusters are lost, how many rights OVIM lacks there, and when its credentials end."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        lost = GaugeMetricFamily("ovim_cluster_lost", "1 while the cluster does not answer", labels=("cluster",))
        lacking = GaugeMetricFamily("ovim_cluster_lacking_rights", "Rights that OVIM lacks there", labels=("cluster",))
        ends = GaugeMetricFamily(
            "ovim_cluster_credential_ends_timestamp_seconds",
            "When its credential ends, if it says so",
            labels=("cluster",),
        )
        columns = ("name", "failing_since", "lacking", "credential_expires_at")
        for name, since, rights, until in Cluster.objects.order_by("name").values_list(*columns):
            lost.add_metric((name,), float(since is not None))
            lacking.add_metric((name,), len(rights))
            if until is not None:
                ends.add_metric((name,), until.timestamp())
        yield from (lost, lacking, ends)


class Queue(Collector):
    """Read when scraped: the queue's length and age by cluster, and rows whose intent is not yet in a cluster."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        items = GaugeMetricFamily("ovim_work_items", "Work items by state", labels=("cluster", "state"))
        oldest = GaugeMetricFamily("ovim_work_oldest_due_seconds", "Age of the oldest due item", labels=("cluster",))
        unsettled = GaugeMetricFamily("ovim_rows_unsettled", "Rows whose intent is not reconciled", labels=("kind",))
        with connection.cursor() as cursor:
            cursor.execute(_QUEUE)
            for name, total, due, leased, parked, age in cursor.fetchall():
                for state, number in (("all", total), ("due", due), ("leased", leased), ("parked", parked)):
                    items.add_metric((name, state), number)
                oldest.add_metric((name,), float(age))
        for model in apps.get_models():
            if issubclass(model, Reconciled):
                pending = ~Q(generation=F("observed_generation")) | Q(deletion_requested_at__isnull=False)
                unsettled.add_metric((model._meta.label_lower,), model._default_manager.filter(pending).count())
        yield from (items, oldest, unsettled)


@public
@require_safe
def exposition(request: HttpRequest) -> HttpResponse:
    """All of it. With several web processes, PROMETHEUS_MULTIPROC_DIR adds them up."""
    text = generate_latest(_processes())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Queue())
    registry.register(Clusters())
    try:
        with tenants.everything():
            text += generate_latest(registry)
    except DatabaseError:
        text += b"# The queue can't be told: the database can't be reached.\n"
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _processes() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
