"""The chain of the audit log: one per organization, made by a sealer over entries that have been committed.

1. A trigger puts each new entry's id into `AuditWaiting`, in the transaction that writes the entry. So nothing here goes
   by ids or times that were given out but not committed: what can be seen waiting is committed, and it waits until it
   has its seal, however late its transaction ended.
2. The sealer, one at a time by a lock of the database, takes a batch of what waits, gives each entry the next number of
   its chain and the SHA-256 over the entry and the digest before it, and takes it off the list in the same transaction.
3. `verify` walks the numbers and computes every digest again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import Exists, OuterRef

from core.models import AuditCheckpoint, AuditEntry, AuditSeal, AuditWaiting

SEALED = Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk")))
WAITS = Exists(AuditWaiting.objects.filter(entry_id=OuterRef("pk")))
WRITTEN = Exists(AuditEntry.objects.filter(pk=OuterRef("entry_id")))
PROVIDER = UUID(int=0)  # the chain of what belongs to no organization
BATCH = 1000
LOCK = 0x0A0D17  # any number that no other advisory lock of ours has
VERSION = 1
# What is hashed, by version: a column that comes later is in a version of its own, old seals stay good.
FIELDS: Mapping[int, Sequence[str]] = {
    1: (
        "id", "at", "actor_id", "actor_name", "session_id", "address", "request_id", "action", "object_kind",
        "object_id", "object_name", "organization_id", "outcome", "reason", "duration_ms", "before", "after",
    ),
}  # fmt: skip


def canonical(chain: UUID, number: int, previous: str, entry: Mapping[str, Any], version: int = VERSION) -> bytes:
    """The bytes whose SHA-256 is the digest: JSON in UTF-8, keys sorted, no blanks, times in UTC to the microsecond."""
    body = {
        "version": version,
        "chain": str(chain),
        "number": number,
        "previous": previous,
        "entry": {name: _plain(entry[name]) for name in FIELDS[version]},
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value


def digest(chain: UUID, number: int, previous: str, entry: Mapping[str, Any], version: int = VERSION) -> str:
    return hashlib.sha256(canonical(chain, number, previous, entry, version)).hexdigest()


def chain_of(organization_id: UUID | None) -> UUID:
    return organization_id or PROVIDER


# --- sealing --------------------------------------------------------------------------------------------------------


def seal_all(most: int = 100) -> int:
    """Seal what waits, batch by batch (`most` of them); how many entries that were."""
    total = 0
    for _ in range(most):
        found = seal()
        total += found
        if not found:
            break
    return total


@transaction.atomic
def seal(batch: int = BATCH) -> int:
    """Seal one batch of what waits; how many were taken off the list. 0 also when another sealer is at work."""
    if not locked():
        return 0
    ids = list(AuditWaiting.objects.filter(WRITTEN).order_by("entry_id").values_list("entry_id", flat=True)[:batch])
    known = set(AuditSeal.objects.filter(entry_id__in=ids).values_list("entry_id", flat=True))
    new = [pk for pk in ids if pk not in known]  # nothing is sealed twice, whoever wrote it on the list again
    heads: dict[UUID, tuple[int, str]] = {}
    seals = []
    for entry in AuditEntry.objects.filter(pk__in=new).order_by("pk").values(*FIELDS[VERSION]):
        chain = chain_of(entry["organization_id"])
        number, previous = heads[chain] if chain in heads else head(chain)
        number += 1
        heads[chain] = number, digest(chain, number, previous, entry)
        seals.append(
            AuditSeal(chain=chain, number=number, entry_id=entry["id"], version=VERSION, digest=heads[chain][1])
        )
    AuditSeal.objects.bulk_create(seals)
    AuditWaiting.objects.filter(entry_id__in=ids).delete()
    return len(ids)


def locked() -> bool:
    """Whether this transaction is now the only one that seals or removes. Held until it has been committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def lock(using: str) -> None:
    """The same on another connection, waiting for whoever is at work."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def head(chain: UUID) -> tuple[int, str]:
    """The last number of a chain and its digest; (0, "") of one that has not begun."""
    last = AuditSeal.objects.filter(chain=chain).order_by("-number").first() or beginning(chain)
    return (last.number, last.digest) if last else (0, "")


def beginning(chain: UUID, using: str = DEFAULT_DB_ALIAS) -> AuditCheckpoint | None:
    """The checkpoint that a chain begins at; None: it is whole."""
    return AuditCheckpoint.objects.using(using).filter(chain=chain).order_by("-number").first()


# --- verifying ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Break:
    """The first place of a chain that is not as it was sealed. `number` 0: no place in the chain."""

    number: int
    entry_id: UUID | None
    what: str


@dataclass(frozen=True)
class Verdict:
    """What a chain looks like. `unsealed`: committed entries that wait for their seal."""

    chain: UUID
    first: int
    last: int
    digest: str
    unsealed: int
    broken: Break | None


@contextmanager
def snapshot() -> Iterator[None]:
    """All that is read inside is of one moment, so that sealing and removing in between look like no break."""
    if connection.in_atomic_block:  # whoever is in a transaction already has chosen what it sees
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def chains() -> list[UUID]:
    """Every chain that there is, and those of entries that none has been begun for."""
    found = set(AuditSeal.objects.order_by().values_list("chain", flat=True).distinct())
    found |= set(AuditCheckpoint.objects.order_by().values_list("chain", flat=True).distinct())
    found |= {chain_of(pk) for pk in AuditEntry.objects.order_by().values_list("organization_id", flat=True).distinct()}
    return sorted(found)


def verify(chain: UUID) -> Verdict:
    """Walk a chain from its beginning to its end. To be called in a `snapshot`."""
    start = beginning(chain)
    number, previous = (start.number, start.digest) if start else (0, "")
    first, broken = number + 1, None
    seals = AuditSeal.objects.filter(chain=chain).order_by("number")
    while broken is None and (page := list(seals.filter(number__gt=number)[:BATCH])):
        ids = [seal.entry_id for seal in page]
        entries = {entry["id"]: entry for entry in AuditEntry.objects.filter(pk__in=ids).values(*FIELDS[VERSION])}
        for seal in page:
            broken = checked(chain, number + 1, previous, seal, entries.get(seal.entry_id))
            if broken:
                break
            number, previous = seal.number, seal.digest
    unsealed, stray = _tail(chain)
    return Verdict(chain, first, number, previous, unsealed, broken or stray)


def checked(chain: UUID, number: int, previous: str, seal: AuditSeal, entry: Mapping[str, Any] | None) -> Break | None:
    """What is wrong with a seal that should be this number after that digest; None: nothing."""
    if seal.number != number:
        return Break(number, None, f"seal {number} is missing: the next one is {seal.number}")
    if entry is None:
        return Break(number, seal.entry_id, f"entry {seal.entry_id} was deleted")
    if seal.version not in FIELDS:
        return Break(number, seal.entry_id, f"seal {number} is of version {seal.version}, which is not known here")
    if digest(chain, number, previous, entry, seal.version) != seal.digest:
        return Break(number, seal.entry_id, f"entry {seal.entry_id} or its seal was altered")
    return None


def _tail(chain: UUID) -> tuple[int, Break | None]:
    """How many entries wait for their seal, and one that neither waits nor has one: nobody wrote it as OVIM does."""
    entries = AuditEntry.objects.filter(organization_id=None if chain == PROVIDER else chain)
    unsealed = entries.filter(WAITS, ~SEALED).count()
    stray = entries.filter(~WAITS, ~SEALED).order_by("pk").first()
    if stray is None:
        return unsealed, None
    return unsealed, Break(0, stray.pk, f"entry {stray.pk} was inserted, or moved here, past the sealer")


def lost() -> list[UUID]:
    """Entries that were committed and are gone before they had a seal."""
    return list(AuditWaiting.objects.filter(~WRITTEN).order_by("entry_id").values_list("entry_id", flat=True))


def holds(chain: UUID, number: int, wanted: str) -> bool | None:
    """Whether a chain still has this digest at this number, noted elsewhere before. None: retention removed it."""
    start = beginning(chain)
    if start is not None and number < start.number:
        return None
    if start is not None and number == start.number:
        return start.digest == wanted
    return AuditSeal.objects.filter(chain=chain, number=number, digest=wanted).exists()
