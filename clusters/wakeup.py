"""Telling workers to look at the queue of a cluster."""

from uuid import UUID

from core import broker


def queue_name(cluster_id: UUID) -> str:
    """The Celery queue of one cluster: a cluster that hangs holds up its own workers only."""
    return f"cluster.{cluster_id}"


def send(cluster_id: UUID) -> bool:
    """Wake one drain of this cluster's queue."""
    return broker.tell("clusters.tasks.drain", [str(cluster_id)], queue_name(cluster_id))
