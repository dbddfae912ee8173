"""A small kopf operator, run as a process by the test: handlers, a timer, a finalizer by its delete handler."""

from typing import Any

import kopf

from tests.contract.things import GROUP


@kopf.on.startup()
def settle(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = True
    settings.watching.server_timeout = 5  # so that watches are opened anew within the test


@kopf.on.create(GROUP, "v1", "widgets")
def created(body: kopf.Body, spec: kopf.Spec, patch: kopf.Patch, **_: Any) -> dict[str, int]:
    kopf.info(body, reason="Born", message="it is a widget")
    patch.status["phase"] = "Created"
    return {"size": spec["size"]}


@kopf.on.update(GROUP, "v1", "widgets", field="spec.size")
def resized(new: int, patch: kopf.Patch, **_: Any) -> None:
    patch.status["phase"] = f"Size{new}"


@kopf.timer(GROUP, "v1", "widgets", interval=0.5)
def ticked(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    patch.status["replicas"] = int(status.get("replicas") or 0) + 1


@kopf.on.delete(GROUP, "v1", "widgets")
def deleted(name: str, namespace: str, logger: kopf.Logger, **_: Any) -> None:
    logger.info("gone: %s/%s", namespace, name)
