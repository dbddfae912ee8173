"""/healthz, /livez and /readyz: a word, or with ?verbose the checks behind it (k8s-transcript 01)."""

from __future__ import annotations

from collections.abc import Collection

from clusters.sandbox.errors import TextError
from clusters.sandbox.routes import NOT_FOUND_TEXT

HOOKS = """
start-apiserver-admission-initializer generic-apiserver-start-informers priority-and-fairness-config-consumer
priority-and-fairness-filter storage-object-count-tracker-hook start-apiextensions-informers
start-apiextensions-controllers crd-informer-synced start-system-namespaces-controller
peer-endpoint-reconciler-controller start-cluster-authentication-info-controller
start-kube-apiserver-identity-lease-controller start-kube-apiserver-identity-lease-garbage-collector storage-readiness
start-legacy-token-tracking-controller start-service-ip-repair-controllers rbac/bootstrap-roles
scheduling/bootstrap-system-priority-classes priority-and-fairness-config-producer bootstrap-controller
start-kubernetes-service-cidr-controller start-kube-aggregator-informers apiservice-status-local-available-controller
apiservice-status-remote-available-controller apiservice-registration-controller apiservice-wait-for-first-sync
apiservice-discovery-controller kube-apiserver-autoregistration
"""
ROLES_READ = "poststarthook/rbac/bootstrap-roles"
LAST_HOOKS = ("apiservice-openapi-controller", "apiservice-openapiv3-controller")


def _checks(endpoint: str) -> list[str]:
    ready = endpoint == "readyz"
    first = ["ping", "log", "informer-sync"] if ready else ["ping", "log"]
    hooks = [f"poststarthook/{name}" for name in HOOKS.split()]
    last = [f"poststarthook/{name}" for name in LAST_HOOKS]
    return [*first, *hooks, "autoregister-completion", *last, *(["shutdown"] if ready else [])]


def report(path: str, *, verbose: bool, failing: Collection[str] = ()) -> bytes:
    """The text for one endpoint or one of its checks; 404 for what is neither, 500 where one of its checks fails."""
    endpoint, _, check = path.strip("/").partition("/")
    checks = _checks(endpoint)
    if endpoint not in {"healthz", "livez", "readyz"} or (check and check not in checks):
        raise TextError(404, NOT_FOUND_TEXT)
    if check in failing:
        raise TextError(500, "internal server error: not finished\n")
    if not check and not set(failing).isdisjoint(checks):
        raise TextError(500, f"{_lines(checks, failing)}{endpoint} check failed\n")
    if check or not verbose:
        return b"ok"
    return f"{_lines(checks, ())}{endpoint} check passed\n".encode()


def _lines(checks: Collection[str], failing: Collection[str]) -> str:
    return "".join(f"[-]{name} failed: reason withheld\n" if name in failing else f"[+]{name} ok\n" for name in checks)
