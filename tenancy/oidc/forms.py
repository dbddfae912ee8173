"""What people fill in about identity providers. Rules are in the services."""

from collections.abc import Sequence
from typing import Any

from django import forms

from core.names import dns_label
from core.ui.fields import PLAIN
from core.ui.filling import Form, Section
from tenancy.models import RoleName
from tenancy.oidc.rows import Match, claim_path, domain

WORDS = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class Words(forms.CharField):
    """Several words, with blanks or commas."""

    def __init__(self, each: Any = None, **kwargs: Any) -> None:
        self.each = each
        super().__init__(max_length=4000, required=False, widget=forms.TextInput(WORDS), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        found = super().clean(value).replace(",", " ").split()
        for word in found if self.each else ():
            self.each(word)
        return found


def _claim(label: str, default: str) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=128, initial=default, validators=[claim_path], widget=forms.TextInput(PLAIN)
    )


class ProviderEditForm(Form):
    display_name = forms.CharField(label="Title", max_length=255, help_text="On the button: Sign in with …")
    client_id = forms.CharField(label="Client id", max_length=255, widget=forms.TextInput(PLAIN))
    client_secret = forms.CharField(
        label="Client secret",
        max_length=1024,
        required=False,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text="It is never shown again. Empty: the one that there is stays; a new provider is a public client.",
    )
    scopes = forms.CharField(max_length=255, initial="openid profile email", widget=forms.TextInput(PLAIN))
    enabled = forms.BooleanField(
        required=False,
        initial=True,
        help_text="Switched off, nobody signs in by it, and who has done so is signed out.",
    )
    creates_users = forms.BooleanField(
        label="Whoever comes for the first time gets an account", required=False, initial=True
    )
    email_domains = Words(domain, label="E-mail domains", help_text="Whoever gives such an address is led here.")
    multi_factor = Words(
        label="What says that a second factor was given",
        initial="mfa",
        help_text="Values of amr or acr. Without one of them OVIM asks for its own second factor.",
    )
    username_claim = _claim("User name", "preferred_username")
    email_claim = _claim("E-mail", "email")
    name_claim = _claim("Name", "name")
    groups_claim = _claim("Groups", "groups")
    layout: Sequence[Section] = (
        Section("Client", ("display_name", "client_id", "client_secret", "scopes")),
        Section("Who may come", ("enabled", "creates_users", "email_domains", "multi_factor")),
        Section(
            "Claims",
            ("username_claim", "email_claim", "name_claim", "groups_claim"),
            hint="Dots lead inside: realm_access.roles",
        ),
    )

    def __init__(self, *args: Any, domains: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not domains:
            del self.fields["email_domains"]


class ProviderForm(ProviderEditForm):
    name = forms.CharField(
        max_length=63,
        validators=[dns_label],
        widget=forms.TextInput(PLAIN),
        help_text="Part of its redirect address. It never changes.",
    )
    organization = forms.ChoiceField(help_text="Whose people sign in with it.")
    issuer = forms.CharField(
        max_length=512,
        widget=forms.TextInput(PLAIN),
        help_text="Such as https://login.example.org/realms/acme. It never changes.",
    )
    layout = (Section("Provider", ("name", "organization", "issuer")), *ProviderEditForm.layout)

    def __init__(self, *args: Any, organizations: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].choices = organizations  # type: ignore[attr-defined]


class RuleForm(Form):
    claim = forms.CharField(
        max_length=128,
        required=False,
        validators=[claim_path],
        widget=forms.TextInput(PLAIN),
        help_text="Empty: groups.",
    )
    match = forms.ChoiceField(choices=Match.choices)
    value = forms.CharField(max_length=255, widget=forms.TextInput(PLAIN))
    role = forms.ChoiceField(choices=RoleName.choices, initial=RoleName.USER)
    place = forms.ChoiceField(label="Where")
    layout = (
        Section("Who has", ("claim", "match", "value"), css="three"),
        Section("Gets", ("role", "place")),
    )

    def __init__(
        self, *args: Any, places: Sequence[tuple[str, str]], own: Sequence[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["place"].choices = places  # type: ignore[attr-defined]
        self.fields["role"].choices = [*RoleName.choices, *own]  # type: ignore[attr-defined]

    def place_of(self, path: str) -> str:
        return {"organization": "place", "vdc": "place"}.get(path, super().place_of(path))


class PasteForm(forms.Form):
    pasted = forms.CharField(
        label="Token or claims",
        max_length=64 * 1024,
        widget=forms.Textarea({"rows": 12, "spellcheck": "false", "autocomplete": "off"}),
        help_text="A token, or its claims as JSON. It is not kept, and nothing is changed.",
    )
