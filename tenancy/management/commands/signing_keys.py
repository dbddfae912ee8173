"""`manage.py signing_keys list | rotate | retire KID`: the keys that access tokens are signed with."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core.actor import system_actor
from core.errors import DomainError
from tenancy import keyring
from tenancy.models import SigningKey
from tenancy.services import signing_keys

ACTOR = "manage.py signing_keys"


class Command(BaseCommand):
    help = "The keys that access tokens are signed with: list them, begin a new one, end an old one at once."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="every key, the one that signs first")
        verbs.add_parser("rotate", help="a new key signs; what the old ones signed stays good until it ends")
        retire = verbs.add_parser("retire", help="nothing that this key signed is good any more")
        retire.add_argument("kid", help="its id, as `list` shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = system_actor(ACTOR)
        try:
            if options["verb"] == "rotate":
                key = signing_keys.rotate(actor=actor)
                self.stdout.write(f"{key.kid} signs from now on.")
            elif options["verb"] == "retire":
                key = signing_keys.retire(actor=actor, kid=options["kid"])
                self.stdout.write(f"{key.kid} has ended: nothing that it signed is good.")
            else:
                self._list()
        except DomainError as error:
            raise CommandError(error.message) from None

    def _list(self) -> None:
        keyring.forget()
        keys = keyring.current()
        kept = {row.kid: row for row in SigningKey.objects.all()}
        for kid, key in sorted(keys.verifying.items(), key=lambda item: item[1] is not keys.signing):
            row = kept.get(kid)
            since = f"{row.created_at:%Y-%m-%d %H:%M}" if row else "-"
            where = "kept here" if key.sealed else "OVIM_JWT_KEY"
            self.stdout.write(f"{kid}  {since}  {where}  {self._state(row, key is keys.signing)}")

    def _state(self, row: SigningKey | None, signs: bool) -> str:
        if signs:
            return "signs"
        if row is None or row.ends_at is None:
            return "verifies"
        word = "verifies until" if row.ends_at > timezone.now() else "ended"
        return f"{word} {row.ends_at:%Y-%m-%d %H:%M}"
