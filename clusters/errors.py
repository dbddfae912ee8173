"""What a cluster can answer that is not success. Whether to try again is a field of the error, not of the caller."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """One entry of a Status' `details.causes`."""

    reason: str
    field: str
    message: str


class KubeError(Exception):
    """An answer of the API server that refuses. `permanent`: the same request will be refused again."""

    def __init__(
        self, status: int, reason: str, message: str, causes: Sequence[Cause] = (), *, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = tuple(causes)
        self.retry_after = retry_after

    @property
    def permanent(self) -> bool:
        """422 and 400 don't change by themselves, nor does a 500 for a field the schema lacks (k8s-transcript 04).

        A 403 is tried again: an API server that starts answers 403 for a moment (k8s-transcript 17).
        """
        return self.status in (400, 405, 413, 415, 422) or (
            self.status == 500 and "failed to create typed patch object" in self.message
        )

    @property
    def field_conflict(self) -> bool:
        return self.status == 409 and any(cause.reason == "FieldManagerConflict" for cause in self.causes)

    @property
    def unhealthy(self) -> bool:
        """The server, not the object, is the trouble: opens the cluster's circuit. A 500 may be one object's webhook."""
        return self.status in (429, 502, 503, 504)


class Unreachable(KubeError):
    """No answer: refused, timed out, reset. What was asked may or may not have happened."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "Unreachable", message)

    @property
    def permanent(self) -> bool:
        return False

    @property
    def unhealthy(self) -> bool:
        return True


class Fenced(Exception):
    """The lease is no longer ours: another worker has the item. Stop at once, write nothing more."""
