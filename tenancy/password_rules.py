"""Rules of passwords beside Django's own; named in settings."""

import re

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError


class MaximumLength:
    """Long enough for any passphrase. Hashing takes time with the length, so there is an end."""

    def __init__(self, max_length: int = 128) -> None:
        self.max_length = max_length

    def validate(self, password: str, user: object = None) -> None:
        if len(password) > self.max_length:
            raise ValidationError(
                f"This password is too long: it may have {self.max_length} characters.", code="password_too_long"
            )

    def get_help_text(self) -> str:
        return f"At most {self.max_length} characters."


class NotOutOfAList(CommonPasswordValidator):
    """The list of passwords from breaches that comes with Django, also behind disguises that everybody knows: digits and
    signs around it (`password1234!`), and the same thing twice (`letmeinletmein`)."""

    def validate(self, password: str, user: object = None) -> None:
        bare = password.lower().strip()
        if any(form in self.passwords for form in _undressed(bare)):
            raise ValidationError(
                "This password is in lists of stolen ones, or is one of those with something around it.",
                code="password_too_common",
            )


def _undressed(bare: str) -> set[str]:
    found = {bare, re.sub(r"^[\d\W_]+|[\d\W_]+$", "", bare)}
    for form in tuple(found):
        once = re.fullmatch(r"(.+?)\1+", form)
        if once:
            found.add(once[1])
    return found - {""}
