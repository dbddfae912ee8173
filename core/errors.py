"""Refusals as types: what went wrong, in which field, who can mend it. No HTTP here: `ovim_site.errors` renders them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.rights import Right


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with the input. `field` is the dotted path as the caller wrote it, `rule` the broken rule's name."""

    field: str
    rule: str
    message: str


class DomainError(Exception):
    """Base of all refusals. `code` is stable and machine-readable; the message is for a person."""

    code = "refused"

    def __init__(self, message: str, *, errors: Sequence[FieldError] = (), **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.errors = tuple(errors)
        self.extra: Mapping[str, Any] = extra
        self.row: Any = None  # what it is about, if the actor sees it: for the audit log


class Invalid(DomainError):
    """The input breaks a rule that can be checked without I/O."""

    code = "invalid"

    @classmethod
    def field(cls, field: str, rule: str, message: str) -> "Invalid":
        return cls(message, errors=[FieldError(field, rule, message)])


class BadParameter(Invalid):
    """A query parameter or a header, not the body, says what it can't mean: the request is not well-formed."""

    code = "bad_parameter"


class KeyReused(Invalid):
    """An Idempotency-Key came a second time with another body."""

    code = "idempotency_key_reused"


class Unauthenticated(DomainError):
    """Nobody is signed in, or the session has ended."""

    code = "unauthenticated"


class NotFound(DomainError):
    """The row does not exist, or the actor may not know that it does: the same answer for both."""

    code = "not_found"


class Forbidden(DomainError):
    """The actor sees the row but lacks the right for this verb."""

    code = "forbidden"

    def __init__(self, right: Right, what: str, row: Any = None) -> None:
        super().__init__(f"You lack the right {right} on {what}.", right=str(right))
        self.row = row


class Previewing(DomainError):
    """Somebody only looks, as another person: nothing is changed meanwhile."""

    code = "preview_read_only"

    def __init__(self, name: str) -> None:
        super().__init__(f"You see what {name} sees, to look only: nothing is changed. End the preview first.")


class Conflict(DomainError):
    """The request contradicts the state of things: a duplicate name, a parent that still has children."""

    code = "conflict"


class InProgress(Conflict):
    """The same request, by its Idempotency-Key, is being carried out at this moment."""

    code = "idempotency_in_progress"


class Ended(DomainError):
    """A link that was good once: `code` says whether it was used, is too old, or was withdrawn."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Stale(DomainError):
    """If-Match names a generation that is no longer current."""

    code = "stale"


class TooLarge(DomainError):
    """The body is larger than any that is meant."""

    code = "too_large"


class Throttled(DomainError):
    """Too many requests or failed attempts. `retry_after` says in how many seconds the next one is looked at."""

    code = "throttled"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, retry_after=retry_after)


class Busy(DomainError):
    """A lock was not to be had in time. Nothing was done; the same request may succeed in a moment."""

    code = "busy"


class Unavailable(DomainError):
    """A part that the answer needs (a cluster, the database, the broker) can't be reached."""

    code = "unavailable"


@dataclass(frozen=True)
class Shortage:
    """One limit that refuses: everything a person needs to see to find a way out."""

    resource: str
    level: str
    scope: str
    limit: int
    used: int
    requested: int
    ledger: str

    @property
    def short_by(self) -> int:
        return self.used + self.requested - self.limit

    @property
    def fits(self) -> int:
        return max(self.limit - self.used, 0)


class QuotaExceeded(DomainError):
    """A claim does not fit. Carries every limit that refuses, innermost first."""

    code = "quota_exceeded"

    def __init__(self, shortages: Sequence[Shortage], *, who_can_change: str) -> None:
        first = shortages[0]
        super().__init__(
            f"{first.resource}: {first.level} {first.scope} has {first.fits} of {first.limit} left, "
            f"{first.requested} requested, {first.short_by} too many. {who_can_change} can raise the limit.",
        )
        self.shortages = tuple(shortages)
        self.who_can_change = who_can_change
