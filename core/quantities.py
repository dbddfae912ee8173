"""Kubernetes quantities (`8Gi`, `500m`) to integers in OVIM's units: exact or refused, never rounded. Pure."""

import re
from fractions import Fraction

MIB, GIB = 2**20, 2**30
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1), "k": Fraction(10**3),
    "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12), "P": Fraction(10**15), "E": Fraction(10**18),
}  # fmt: skip
_SHAPE = re.compile(r"(\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:([KMGTPE]i|[numkMGTPE]?)|[eE]([+-]?\d{1,2}))\Z", re.ASCII)


class NotExact(ValueError):
    """The text is no quantity, or not a whole number of the unit. The message is for a person."""


def parse(text: str) -> Fraction:
    """The exact value, in the base unit (bytes, cores)."""
    found = _SHAPE.match(text)
    if found is None:
        raise NotExact(f"{text[:40]!r} is no quantity: write a number with a unit, such as 512Mi, 8Gi or 2.")
    number, suffix, exponent = found.groups()
    value = Fraction(number if not number.startswith(".") else f"0{number}")
    if exponent is not None:
        return value * Fraction(10) ** int(exponent)
    return value * (_BINARY[suffix] if suffix in _BINARY else _DECIMAL[suffix])


def whole(text: str, unit: int, unit_name: str) -> int:
    """The quantity as a whole number of `unit`s, or NotExact."""
    value = parse(text) / unit
    if value.denominator != 1:
        raise NotExact(f"{text} is not a whole number of {unit_name}: nothing is rounded here.")
    return int(value)


def mebibytes(text: str) -> int:
    return whole(text, MIB, "MiB")


def gibibytes(text: str) -> int:
    return whole(text, GIB, "GiB")


def cores(text: str) -> int:
    return whole(text, 1, "vCPUs")


def of_mebibytes(mib: int) -> str:
    """The shortest exact writing: 2048 → 2Gi, 1500 → 1500Mi."""
    return f"{mib // 1024}Gi" if mib and mib % 1024 == 0 else f"{mib}Mi"


def of_gibibytes(gib: int) -> str:
    return f"{gib // 1024}Ti" if gib and gib % 1024 == 0 else f"{gib}Gi"
