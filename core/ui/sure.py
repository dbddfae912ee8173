"""Forms that only ask whether it is meant."""

from collections.abc import Sequence
from typing import Any

from django import forms

from core.ui.fields import PLAIN
from core.ui.filling import Form, Section


class SureForm(Form):
    """Nothing to fill in: pressing the button is all."""


class NameForm(Form):
    """A name typed to confirm that it is meant."""

    confirm = forms.CharField(label="Its name", max_length=63, widget=forms.TextInput(PLAIN))
    layout: Sequence[Section] = (Section("To be sure", ("confirm",)),)

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["confirm"].help_text = f"Type {name} to confirm."

    def clean_confirm(self) -> str:
        given: str = self.cleaned_data["confirm"]
        if given.strip() != self.name:
            raise forms.ValidationError(f"This is not its name: type {self.name}.", code="confirm")
        return given
