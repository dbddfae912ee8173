"""Codes of a second factor: an authenticator app's (TOTP, RFC 6238), and recovery codes for when it is lost.

A code is taken once: the time step of the last one is kept, and only later ones are good.
"""

import hashlib
import secrets
import time
from typing import Final

import pyotp
from django.db import transaction

from core import sealed
from tenancy.models import SecondFactor, User
from tenancy.services.passwords import LETTERS

PURPOSE: Final = "second-factor"
STEP_SECONDS: Final = 30
STEPS_AROUND: Final = 1  # clocks of phones differ, and typing takes time
RECOVERY_CODES, GROUPS, IN_A_GROUP = 10, 4, 4  # 31^16: 79 bits, so that a plain hash keeps them
WRONG: Final = "This is not the code: it is wrong, too old, or was used before."


def is_asked_of(user: User) -> bool:
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


@transaction.atomic
def passes(user: User, code: str) -> bool:
    """Whether this is a code of the app or a recovery code. Either is taken once: two at once wait for each other."""
    row = SecondFactor.objects.select_for_update().filter(user=user, confirmed_at__isnull=False).first()
    if row is None:
        return False
    given = code.strip().replace(" ", "").lower()
    step = step_of(row, given)
    if step is not None:
        row.last_step = step
        row.save(update_fields=["last_step"])
        return True
    digest = _digest(given)
    if digest in row.recovery:
        row.recovery = [kept for kept in row.recovery if kept != digest]
        row.save(update_fields=["recovery"])
        return True
    return False


def step_of(row: SecondFactor, code: str) -> int | None:
    """The time step whose code this is, if it is now or beside, and later than the last one taken."""
    if not (code.isascii() and code.isdigit() and len(code) == 6):
        return None
    totp, now = pyotp.TOTP(secret_of(row)), int(time.time()) // STEP_SECONDS
    found = None
    for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):
        if secrets.compare_digest(str(totp.at(step * STEP_SECONDS)), code) and step > row.last_step:
            found = step
    return found


def new_recovery(row: SecondFactor) -> list[str]:
    codes = [
        "-".join("".join(secrets.choice(LETTERS) for _ in range(IN_A_GROUP)) for _ in range(GROUPS))
        for _ in range(RECOVERY_CODES)
    ]
    row.recovery = [_digest(code) for code in codes]
    return codes


def _digest(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").encode()).hexdigest()


def secret_of(row: SecondFactor) -> str:
    return sealed.unseal(bytes(row.secret), PURPOSE, what="A second factor")
