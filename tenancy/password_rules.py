"""Rules of passwords beside Django's own; named in settings."""

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
