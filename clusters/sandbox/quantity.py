"""Kubernetes quantities: parsed exactly, printed in their canonical spelling."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
SUFFIX_OF = {exponent: suffix for suffix, exponent in DECIMAL.items()}
PATTERN = re.compile(r"^([+-]?)(\d+\.?\d*|\.\d+)(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE])|[eE]([+-]?\d+))?$")
MESSAGE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


class BadQuantityError(ValueError):
    """The text is no quantity; the message is the server's."""

    def __init__(self) -> None:
        super().__init__(MESSAGE)


@lru_cache(maxsize=65536)
def _parse(text: str) -> tuple[Decimal, str]:
    match = PATTERN.match(text)
    if match is None:
        raise BadQuantityError
    sign, digits, binary, suffix, exponent = match.groups()
    number = Decimal(digits)
    if sign == "-":
        number = -number
    if binary:
        return number * 1024 ** BINARY[binary], "binary"
    if exponent is not None:
        return number.scaleb(int(exponent)), "exponent"
    return number.scaleb(DECIMAL[suffix or ""]), "decimal"


def parse(text: str | float) -> Decimal:
    """The exact number a quantity stands for."""
    return _parse(str(text))[0]


def _decimal(number: Decimal, *, exponent_form: bool) -> str:
    number = number.quantize(Decimal("1e-9"), rounding=ROUND_CEILING) if number != 0 else number
    if number == 0:
        return "0"
    for exponent in (18, 15, 12, 9, 6, 3, 0, -3, -6, -9):
        scaled = number.scaleb(-exponent)
        if scaled == scaled.to_integral_value():
            head = str(int(scaled))
            if not exponent:
                return head
            return f"{head}e{exponent}" if exponent_form else head + SUFFIX_OF[exponent]
    return str(number)


def render(number: Decimal, form: str = "decimal") -> str:
    """Canonical spelling in the given form ("binary", "decimal", "exponent")."""
    if form == "binary" and (abs(number) < 1024 or number != number.to_integral_value()):
        form = "decimal"  # the server prints small and fractional binary numbers in decimal
    if form != "binary":
        return _decimal(number, exponent_form=form == "exponent")
    whole = int(number)
    power = 0
    while power < 6 and whole % 1024 == 0:
        whole //= 1024
        power += 1
    suffix = next((s for s, p in BINARY.items() if p == power), "")
    return f"{whole}{suffix}"


@lru_cache(maxsize=65536)
def canonical(text: str) -> str:
    """What the server stores for a quantity of a built-in kind: 2048Mi becomes 2Gi, 1.5 becomes 1500m."""
    number, form = _parse(text)
    return render(number, form)


def form_of(text: str) -> str:
    return _parse(str(text))[1]
