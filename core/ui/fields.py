"""Fields of the portal's forms: shapes only."""

from collections.abc import Callable
from typing import Any

from django import forms

from core import quantities

LONGEST_NUMBER = 64
PLAIN: dict[str, Any] = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}  # names, numbers


class QuantityField(forms.CharField):
    """`8Gi`, `8 GiB`: exact, or refused with a word about units."""

    def __init__(self, read: Callable[[str], int], example: str, **kwargs: Any) -> None:
        self._read, self._example = read, example
        super().__init__(max_length=LONGEST_NUMBER, required=False, **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value).replace(" ", "").replace("iB", "i")
        if not text:
            return None
        if text.isdigit():
            raise forms.ValidationError(f"Write the unit, too: {text}Gi or {text}Mi.", code="quantity")
        try:
            return self._read(text)
        except quantities.NotExact as error:
            raise forms.ValidationError(str(error), code="quantity") from None
