"""Fields of the portal's forms: shapes only."""

from collections.abc import Callable
from typing import Any

from django import forms

from core import quantities
from core.names import dns_label

LONGEST_NUMBER = 64
PLAIN: dict[str, Any] = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}  # names, numbers


class NameField(forms.CharField):
    """What an object is called for good."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=63,
            validators=[dns_label],
            widget=forms.TextInput(PLAIN),
            help_text="Lower-case letters, digits and “-”. It never changes.",
            **kwargs,
        )


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
