"""`manage.py secrets status | rotate`: which keys encrypt what is kept secret, and putting all of it under the first."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from core import audit, resealing
from core.actor import system_actor

VERBS = {
    "status": "how much is under the first key of OVIM_CREDENTIAL_KEY, under later ones, under none",
    "rotate": "encrypt under the first key what is under later ones; may be stopped and run again",
}


class Command(BaseCommand):
    help = "What is encrypted at rest, and under which key."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for name, text in VERBS.items():
            verbs.add_parser(name, help=text)

    def handle(self, *args: Any, **options: Any) -> None:
        rotates = options["verb"] == "rotate"
        found = resealing.reseal() if rotates else resealing.look()
        word = "put under the first key" if rotates else "under a later key"
        for column in found:
            told = f"{column.name}: {column.fresh} under the first key already, {column.older} {word}"
            self.stdout.write(told + (f", {column.lost} under no key that is set" if column.lost else "") + ".")
        changed, lost = sum(column.older for column in found), sum(column.lost for column in found)
        if rotates and changed:
            counts = [f"{column.name}: {column.older}" for column in found if column.older]
            with transaction.atomic():
                audit.record(system_actor("manage.py secrets"), "secret.rotate", None, after={"rows": counts})
        if lost:
            raise CommandError(f"{lost} rows can't be decrypted: OVIM_CREDENTIAL_KEY lacks their key.", returncode=1)
        if rotates or not changed:
            self.stdout.write("Only the first key is needed: the others can be taken out of OVIM_CREDENTIAL_KEY.")
