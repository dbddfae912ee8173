"""How Go spells a quantity that it read: kept where it can be, canonical otherwise (apimachinery, run on each)."""

import pytest

from clusters.sandbox.quantity import SUFFIX_MESSAGE, BadQuantityError, canonical, parse

KEPT = [
    "1e3",
    "1E3",
    "1e+3",
    "+1Gi",
    "1.Gi",
    "1.500",
    "01",
    "007Gi",
    "2049Mi",
    "1000Mi",
    "1048576",
    "12E",
    "-1Gi",
    "1e-3",
]
REWRITTEN = {
    ".5Gi": "512Mi",
    "1.5Gi": "1536Mi",
    "1.5": "1500m",
    "1.50": "1500m",
    "1.000": "1",
    "2048Mi": "2Gi",
    "1024Ki": "1Mi",
    "1000000": "1M",
    "2000m": "2",
    "-0": "0",
    ".": "0",
    "Gi": "0",
    "+": "0",
    "1.0Ki": "1Ki",
    "3.3Mi": "3460300800m",
    "0.3Ki": "307200m",
    "0.0000000001": "1n",
    "1e1": "10",
    "1e400": "10e399",
    "1000000000000000000000Ei": "9223372036854775807",
}


@pytest.mark.parametrize("text", KEPT)
def test_the_spelling_is_kept(text: str) -> None:
    assert canonical(text) == text


@pytest.mark.parametrize(("text", "spelled"), REWRITTEN.items())
def test_the_spelling_becomes_canonical(text: str, spelled: str) -> None:
    assert canonical(text) == spelled


def test_the_number_is_exact_however_long() -> None:
    assert parse("999999999999999999999999999999999") == 10**33 - 1
    assert parse("1e400") == 10**400


@pytest.mark.parametrize("text", ["", "lots", "0x10", "1 Gi", "1Gi\n", "\uff11Gi", "1_000", "1GiB"])
def test_what_is_no_quantity_is_told_by_its_shape(text: str) -> None:
    with pytest.raises(BadQuantityError, match="must match the regular expression"):
        parse(text)


@pytest.mark.parametrize("text", ["1e", "1K", "1Kim", "1-3", "5ee3"])
def test_a_suffix_that_says_nothing_is_told_apart(text: str) -> None:
    with pytest.raises(BadQuantityError, match=SUFFIX_MESSAGE):
        parse(text)
