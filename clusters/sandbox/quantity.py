"""Kubernetes quantities: parsed exactly, printed in their canonical spelling."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal
from functools import lru_cache

BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
SUFFIX_OF = {exponent: suffix for suffix, exponent in DECIMAL.items()}
# A number may lack digits before and after its point: "." and "Gi" are zero.
SHAPE = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
EXPONENT = re.compile(r"[eE][-+]?[0-9]+")
MESSAGE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX_MESSAGE = "unable to parse quantity's suffix"
FINEST = -9  # what is smaller than a nano is rounded away from zero
LARGEST = 2**63 - 1
SHORT = 18  # digits that fit a 64-bit integer whatever they are


class BadQuantityError(ValueError):
    """The text is no quantity; the message is the server's."""

    def __init__(self, message: str = MESSAGE) -> None:
        super().__init__(message)


def _split(text: str) -> tuple[str, str, str, str, int]:
    """Sign, digits before and after the point, form, and the power of ten (or of 1024, if binary) behind them."""
    match = SHAPE.fullmatch(text)
    if match is None or not text:
        raise BadQuantityError
    sign, whole, fraction, suffix = match.group(1), match.group(2).lstrip("0"), match.group(3) or "", match.group(4)
    if suffix in DECIMAL:
        return sign, whole or "0", fraction, "decimal", DECIMAL[suffix]
    if suffix in BINARY:
        return sign, whole or "0", fraction, "binary", BINARY[suffix]
    if EXPONENT.fullmatch(suffix):
        return sign, whole or "0", fraction, "exponent", int(suffix[1:])
    raise BadQuantityError(SUFFIX_MESSAGE)


@lru_cache(maxsize=65536)
def _parse(text: str) -> tuple[Decimal, str]:
    sign, whole, fraction, form, power = _split(text)
    digits, exponent = int(whole + fraction), -len(fraction)
    if form == "binary":
        digits *= 1024**power
    else:
        exponent += power
    if exponent < FINEST:
        shift = min(FINEST - exponent, len(str(digits)) + 1)
        digits, exponent = -(-digits // 10**shift), FINEST
    number = Decimal(f"{digits}E{exponent}")
    if form == "binary":
        number = min(number, Decimal(LARGEST))
        form = "decimal" if 0 < number < 1 else form
    return (number.copy_negate() if sign == "-" else number), form


def parse(text: str | float) -> Decimal:
    """The exact number a quantity stands for."""
    return _parse(str(text))[0]


def _decimal(number: Decimal, *, exponent_form: bool) -> str:
    sign, digits, scale = number.as_tuple()
    text, exponent = "".join(map(str, digits)).lstrip("0"), int(scale)
    if not text:
        return "0"
    exponent += len(text) - len(text.rstrip("0"))
    text = text.rstrip("0") + "0" * (exponent % 3)
    exponent -= exponent % 3
    suffix = f"e{exponent}" if exponent_form and exponent else SUFFIX_OF.get(exponent, "")
    return "-" * sign + text + suffix


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
    """What the server stores for a quantity that went through Go: 2048Mi becomes 2Gi, 1.5 becomes 1500m."""
    number, form = _parse(text)
    return text if _kept(text) else render(number, form)


def _kept(text: str) -> bool:
    """Whether Go keeps the spelling: short numbers whose digits leave nothing to move into the suffix."""
    _, whole, fraction, form, power = _split(text)
    digits = whole + fraction
    if form == "binary":
        short = not fraction and len(digits) <= SHORT - 4 - 3 * power and int(digits) * 1024**power <= LARGEST
        return short and bool(int(digits) % 8)
    scale = power - len(fraction)
    tidy = scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"
    return len(digits) <= SHORT and scale >= FINEST and tidy


@lru_cache(maxsize=65536)
def in_thousandths(text: str) -> str:
    """A canonical amount of a resource, of which nothing is finer than a thousandth: what is left is rounded up."""
    number, form = _parse(text)
    if not number * 1000 % 1:
        return text
    return render((number * 1000).to_integral_value(ROUND_UP) / 1000, form)


def form_of(text: str) -> str:
    return _parse(str(text))[1]
