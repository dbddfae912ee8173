"""Passwords: made up, checked, set."""

import secrets

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from core import trial
from core.errors import FieldError, Invalid
from tenancy.models import User

# No letter or digit that is taken for another one when it is read out: no 0 o 1 l i, no capitals.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, IN_A_GROUP = 5, 4  # 31^20: 99 bits


def generated() -> str:
    """A password to be told to somebody: groups of letters and digits, such as `h4kq-7tzn-…`."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(IN_A_GROUP)) for _ in range(GROUPS))


def put(user: User, password: str, *, field: str = "password") -> None:
    """Onto the row, unsaved. Invalid, naming `field`, if it is no good password for this person."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(
            error.messages[0],
            errors=[FieldError(field, str(item.code), item.messages[0]) for item in error.error_list],
        ) from None
    if trial.running():  # the hash is slow on purpose, and would be rolled back
        user.set_unusable_password()
    else:
        user.set_password(password)
