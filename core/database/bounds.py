"""What the database shows to whoever asks, as a value. Pure."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Bounds:
    """Rows of these organizations, rows of this person's own, and what belongs to nobody; or everything."""

    organizations: frozenset[UUID] = frozenset()
    person: UUID | None = None
    everything: bool = False


NOTHING = Bounds()
EVERYTHING = Bounds(everything=True)


def whole_role(login: str) -> str:
    """The role for which every policy says yes. Whoever logs in as the application may take it on (ADR 23)."""
    return f"{login}_whole"


def statements(bounds: Bounds, login: str) -> bytes:
    """What makes a transaction keep within the bounds. Ids and a role of our own settings: nothing to be quoted but it."""
    if bounds.everything:
        return f'SET LOCAL ROLE "{whole_role(login)}"'.encode()
    organizations = ",".join(sorted(map(str, bounds.organizations)))
    return (
        "SET LOCAL ROLE NONE; "
        f"SET LOCAL ovim.organizations = '{{{organizations}}}'; SET LOCAL ovim.person = '{bounds.person or ''}'"
    ).encode()
