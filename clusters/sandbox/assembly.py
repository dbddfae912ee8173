"""A whole sandbox: cluster, controllers and, unless plain, KubeVirt and CDI."""

from __future__ import annotations

import importlib
import importlib.util

from clusters.sandbox.accounts import Aggregation
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.collector import Collector
from clusters.sandbox.definitions import Definitions
from clusters.sandbox.limits import Limits
from clusters.sandbox.namespaces import Namespaces
from clusters.sandbox.quotas import Quotas


def assemble(*, ca_bundle: str = "sandbox") -> tuple[Cluster, Definitions, Namespaces]:
    """The core, not yet populated: a journal may be loaded first."""
    cluster = Cluster()
    definitions = Definitions(cluster)
    Collector(cluster)
    Aggregation(cluster)
    Limits(cluster)
    Quotas(cluster)
    namespaces = Namespaces(cluster, ca_bundle)
    return cluster, definitions, namespaces


def install_extras(cluster: Cluster, *, vm_webhooks: bool) -> None:
    """Seam: KubeVirt and CDI are written beside this package's core and are installed when present."""
    for name, options in (("kubevirt", {"webhooks": vm_webhooks}), ("cdi", {})):
        if importlib.util.find_spec(f"clusters.sandbox.{name}") is not None:
            importlib.import_module(f"clusters.sandbox.{name}").install(cluster, **options)
