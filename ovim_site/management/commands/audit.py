"""`manage.py audit`: the chain of the audit log, by hand.

manage.py audit seal                               seal what waits now
manage.py audit verify [--organization acme]       walk the chains: first break, unsealed tail; status 1 if broken
manage.py audit verify --head acme=160:9f3c…       … and whether a chain still has what was noted of it before
"""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import retention, sealing
from core.actor import system_actor
from core.errors import DomainError
from core.models import AuditSeal, AuditStream
from core.outlet import stream
from core.outlet.target import configured
from tenancy.models import Organization

PROVIDER = "provider"


class Command(BaseCommand):
    help = "Seal, verify, shorten and stream the audit log."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("seal", help="seal the entries that wait")
        verify = verbs.add_parser("verify", help="walk the chains")
        verify.add_argument("--organization", help=f"only of this one, by name or id; `{PROVIDER}`: of none")
        verify.add_argument(
            "--head", action="append", default=[], metavar="ORGANIZATION=NUMBER:DIGEST", help="what has to be in it"
        )

        keep = verbs.add_parser("keep", help="set how long entries are kept")
        keep.add_argument("--organization", required=True, help=f"by name or id; `{PROVIDER}`: what belongs to none")
        keep.add_argument("--days", type=_days, required=True, help="0: for ever; `default`: as the installation")
        verbs.add_parser("stream", help="send what the receiver has yet to get")
        verbs.add_parser("expire", help="remove what is older than the policies say")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(options)

    def _seal(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"{sealing.seal_all()} entries sealed.")

    def _verify(self, options: dict[str, Any]) -> None:
        heads = [_head(text) for text in options["head"]]
        only = options["organization"]
        with sealing.snapshot():
            wanted = [chain_named(only)] if only else sealing.chains()
            good = [self._told(sealing.verify(chain)) for chain in wanted]
            good += [self._kept(*head) for head in heads]
            for pk in sealing.lost():
                self.stdout.write(f"BROKEN: entry {pk} was committed and deleted before it was sealed.")
                good.append(False)
        if not all(good):
            raise CommandError("The audit log is not as it was written.", returncode=1)

    def _keep(self, options: dict[str, Any]) -> None:
        chain = chain_named(options["organization"])
        try:
            retention.keep(actor=system_actor("manage.py audit"), chain=chain, days=options["days"])
        except DomainError as error:
            raise CommandError(error.message) from None
        days = retention.days_of(chain)
        self.stdout.write(f"{name_of(chain)}: kept {f'{days} days' if days else 'for ever'}.")

    def _stream(self, options: dict[str, Any]) -> None:
        target = configured()
        if target is None:
            raise CommandError("OVIM_AUDIT_STREAM is not set: the audit log goes nowhere.")
        self.stdout.write(f"{stream.deliver()} entries taken.")
        row = AuditStream.objects.get(pk=target.key)
        left = AuditSeal.objects.filter(pk__gt=row.sent_to).count()
        self.stdout.write(f"{left} to go, last taken {row.sent_at or 'never'}.")
        if row.error:
            raise CommandError(f"{row.failures} failures: {row.error}. The next try is at {row.next_at}.", returncode=1)

    def _expire(self, options: dict[str, Any]) -> None:
        if not retention.possible():
            raise CommandError("OVIM_DATABASE_OWNER_URL has to name the owner: the application's role removes nothing.")
        removed = retention.expire_all()
        for chain, count in removed.items():
            self.stdout.write(f"{name_of(chain)}: {count} entries removed.")
        if not removed:
            self.stdout.write("Nothing is older than the policies say.")

    def _told(self, found: sealing.Verdict) -> bool:
        name, tail = name_of(found.chain), f"{found.unsealed} not yet sealed"
        if found.broken is not None:
            where = f" at {found.broken.number}" if found.broken.number else ""
            self.stdout.write(f"{name}: BROKEN{where}: {found.broken.what}; {tail}.")
            return False
        count = found.last - found.first + 1
        span = f" ({found.first} to {found.last})" if count else ""
        head = f", head {found.last}:{found.digest}" if found.digest else ""
        self.stdout.write(f"{name}: {count} sealed{span}{head}; {tail}.")
        return True

    def _kept(self, chain: UUID, number: int, digest: str) -> bool:
        found = sealing.holds(chain, number, digest)
        if found is None:
            self.stdout.write(f"{name_of(chain)}: {number} was removed by retention: it can't be compared.")
        elif not found:
            self.stdout.write(f"{name_of(chain)}: BROKEN: it no longer has {number}:{digest}.")
        return found is not False


def name_of(chain: UUID) -> str:
    if chain == sealing.PROVIDER:
        return "the provider"
    found = Organization.objects.filter(pk=chain).values_list("name", flat=True).first()
    return found or f"{chain} (gone)"


def chain_named(text: str) -> UUID:
    """By name or id. An organization that is gone has its chain still: by id."""
    if text == PROVIDER:
        return sealing.PROVIDER
    found = Organization.objects.filter(name=text).values_list("pk", flat=True).first()
    if found is not None:
        return found
    try:
        chain = UUID(text)
    except ValueError:
        chain = None
    if chain is None or chain not in sealing.chains():
        raise CommandError(f"There is no organization {text!r}, and no chain of that id.")
    return chain


def _days(text: str) -> int | None:
    return None if text == "default" else int(text)


def _head(text: str) -> tuple[UUID, int, str]:
    name, _, rest = text.rpartition("=")
    number, _, digest = rest.partition(":")
    if not name or not number.isdigit() or not digest:
        raise CommandError(f"--head takes ORGANIZATION=NUMBER:DIGEST, not {text!r}.")
    return chain_named(name), int(number), digest
