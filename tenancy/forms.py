"""What people fill in. Rules are in the services."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django import forms

from core.names import dns_label
from core.rights import Right
from core.ui.fields import PLAIN, NameField
from core.ui.filling import Form, Section
from core.ui.sure import NameForm
from tenancy import right_words
from tenancy.models import username as username_rule
from tenancy.roles import GIVEN_TO_ROLES, GIVEN_TO_TOKENS

COLOUR = "Such as #1d5bc9, readable on the surfaces of the theme: a contrast of 4.5. Empty: the portal’s own."
PROVIDER = "provider"  # the choice that stands for no organization
SECRET = {"autocomplete": "new-password"}


class SignInForm(forms.Form):
    username = forms.CharField(label="User name", max_length=150, widget=forms.TextInput({"autocomplete": "username"}))
    password = forms.CharField(
        max_length=1024, strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=32,
        widget=forms.TextInput({"autocomplete": "one-time-code", "spellcheck": "false"}),
        help_text="Of your authenticator app; where it is lost, a recovery code.",
    )


class DeviceForm(forms.Form):
    code = forms.CharField(
        label="Code",
        max_length=20,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "autocapitalize": "characters"}),
        help_text="The eight letters that the command shows.",
    )


class ForgottenForm(forms.Form):
    account = forms.CharField(
        label="User name or e-mail", max_length=254, widget=forms.TextInput({"autocomplete": "username"})
    )


class NewPasswordForm(forms.Form):
    new_password = forms.CharField(
        label="New password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(SECRET),
        help_text="At least 12 characters. A few words in a row are easy to remember and hard to guess.",
    )
    again = forms.CharField(
        label="New password again", max_length=1024, strip=False, widget=forms.PasswordInput(SECRET)
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if "again" in given and given.get("new_password") not in (None, given["again"]):
            self.add_error("again", "This is another one than above.")
        return given


class AcceptForm(NewPasswordForm):
    """A new account, by an invitation."""

    username = forms.CharField(
        label="User name",
        max_length=150,
        validators=[username_rule],
        widget=forms.TextInput(PLAIN | {"autocomplete": "username"}),
        help_text="For signing in. It never changes.",
    )
    full_name = forms.CharField(label="Name", max_length=255, required=False)
    field_order = ("username", "full_name", "new_password", "again")


class InvitationForm(Form):
    email = forms.EmailField(label="E-mail", max_length=254)
    role = forms.ChoiceField()
    vdc = forms.ChoiceField(label="Where", required=False)
    days = forms.IntegerField(label="Good for days", min_value=1, max_value=30, initial=7)
    layout = (Section("Who", ("email", "role", "vdc", "days")),)

    def __init__(
        self, *args: Any, roles: Sequence[tuple[str, str]], places: Sequence[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = roles  # type: ignore[attr-defined]
        self.fields["vdc"].choices = places  # type: ignore[attr-defined]


class TokenForm(Form):
    name = forms.CharField(
        max_length=63, validators=[dns_label], widget=forms.TextInput(PLAIN), help_text="What it is for."
    )
    days = forms.IntegerField(label="Good for days", min_value=1, max_value=366, initial=90)

    def __init__(self, *args: Any, held: Collection[Right], **kwargs: Any) -> None:
        """`held`: what its user can somewhere; all of it, where nothing is ticked."""
        super().__init__(*args, **kwargs)
        self.layout = [Section("Token", ("name", "days")), *_ticks(self, held, among=GIVEN_TO_TOKENS)]

    def rights(self) -> list[str] | None:
        """Those that are ticked, by name; None: no fewer than its user has."""
        return _ticked(self) or None


class ServiceAccountForm(Form):
    name = forms.CharField(
        max_length=63,
        validators=[dns_label],
        widget=forms.TextInput(PLAIN),
        help_text="Its user name becomes name@organization. It never changes.",
    )
    full_name = forms.CharField(label="What it is for", max_length=255, required=False)
    layout = (Section("Account", ("name", "full_name")),)


class PersonDeleteForm(NameForm):
    """Also of user names: they are longer than names of objects."""

    confirm = forms.CharField(label="User name", max_length=150, widget=forms.TextInput(PLAIN))
    heir = forms.CharField(
        label="Who gets the machines",
        max_length=150,
        required=False,
        widget=forms.TextInput(PLAIN),
        help_text="A user name. Needed only if the person owns virtual machines.",
    )
    layout = (Section("What becomes of the machines", ("heir",)), Section("To be sure", ("confirm",)))


class OrganizationTextsForm(Form):
    display_name = forms.CharField(label="Title", max_length=255)
    description = forms.CharField(label="About", max_length=1000, required=False)
    layout: Sequence[Section] = (Section("Texts", ("display_name", "description")),)


class OrganizationForm(OrganizationTextsForm):
    name = NameField()
    field_order = ("name", "display_name", "description")
    layout: Sequence[Section] = (Section("Who", ("name", "display_name", "description")),)


class OrganizationEditForm(OrganizationTextsForm):
    """Its settings."""

    second_factor_required = forms.BooleanField(
        label="Its people need a second factor",
        required=False,
        help_text="Whoever has none is led to enrol; until then his roles, and his access tokens, have no effect.",
    )
    technical_contact_name = forms.CharField(label="Technical: name", max_length=255, required=False)
    technical_contact_email = forms.EmailField(label="Technical: e-mail", max_length=254, required=False)
    billing_contact_name = forms.CharField(label="Billing: name", max_length=255, required=False)
    billing_contact_email = forms.EmailField(label="Billing: e-mail", max_length=254, required=False)
    accent_light = forms.CharField(
        label="Colour, light theme", max_length=7, required=False, widget=forms.TextInput(PLAIN), help_text=COLOUR
    )
    accent_dark = forms.CharField(
        label="Colour, dark theme", max_length=7, required=False, widget=forms.TextInput(PLAIN), help_text=COLOUR
    )
    layout: Sequence[Section] = (
        Section("Texts", ("display_name", "description")),
        Section("Sign-in", ("second_factor_required",)),
        Section(
            "Contacts",
            (
                "technical_contact_name",
                "technical_contact_email",
                "billing_contact_name",
                "billing_contact_email",
            ),
        ),
        Section(
            "Look", ("accent_light", "accent_dark"), hint="Shown in the portal’s frame and where its people sign in."
        ),
    )


class OrganizationDisableForm(Form):
    vms = forms.ChoiceField(
        label="What runs",
        choices=[("keep", "goes on running"), ("stop", "is stopped")],
        help_text="Enabling starts nothing: what is stopped now stays so until somebody starts it.",
    )
    layout = (Section("Virtual machines", ("vms",)),)


class LogoForm(forms.Form):
    logo = forms.FileField(
        help_text="A PNG, JPEG or WebP file of 256 KiB and 1024 × 1024 points at most.",
        widget=forms.FileInput({"accept": "image/png,image/jpeg,image/webp"}),
    )


class PersonEditForm(Form):
    full_name = forms.CharField(label="Name", max_length=255, required=False)
    email = forms.EmailField(label="E-mail", max_length=254, required=False)
    layout: Sequence[Section] = (Section("Who", ("full_name", "email")),)


class PersonForm(PersonEditForm):
    username = forms.CharField(
        label="User name",
        max_length=150,
        validators=[username_rule],
        widget=forms.TextInput(PLAIN),
        help_text="For signing in. It never changes.",
    )
    organization = forms.ChoiceField(help_text="Its admins look after the account.")
    password = forms.CharField(
        required=False,
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(SECRET),
        help_text="Empty: one is made up and shown once. Either way it has to be changed at the first sign-in.",
    )
    layout = (
        Section("Who", ("username", "organization", "full_name", "email")),
        Section("Password", ("password",)),
    )

    def __init__(self, *args: Any, organizations: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].choices = organizations  # type: ignore[attr-defined]


class PasswordResetForm(Form):
    password = forms.CharField(
        label="New password",
        required=False,
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(SECRET),
        help_text="Empty: one is made up and shown once.",
    )
    layout = (Section("Password", ("password",)),)


class RoleEditForm(Form):
    """A tick for each right that may be given, in words. `held`: those that the role has."""

    display_name = forms.CharField(label="Title", max_length=255, required=False)
    own_only = forms.BooleanField(
        label="Of machines, only those that are the person’s own",
        required=False,
        help_text="What has an owner is seen and used by its owner alone.",
    )
    named: Sequence[str] = ("display_name", "own_only")

    def __init__(self, *args: Any, offered: Collection[Right], held: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.layout = [Section("Role", self.named), *_ticks(self, offered, held=held)]
        # What he who edits has not himself stays as it is; the service then says that it is not his to change.
        self._others = [name for name in held if name not in offered]

    def rights(self) -> list[str]:
        """Those that are ticked, by name."""
        return [*_ticked(self), *self._others]


def _ticks(
    form: Form, offered: Collection[Right], *, held: Collection[str] = (), among: frozenset[Right] = GIVEN_TO_ROLES
) -> Iterator[Section]:
    """A tick for each of these rights, in words, by what they are about."""
    for about, words in right_words.offered(offered, among=among):
        for right, word in words:
            tick = forms.BooleanField(label=word[:1].upper() + word[1:], required=False, initial=right in held)
            form.fields[_tick_of(right)] = tick
        yield Section(about, [_tick_of(right) for right, _ in words], css="three")


def _ticked(form: Form) -> list[str]:
    return [str(right) for right in Right if form.cleaned_data.get(_tick_of(right))]


def _tick_of(right: Right) -> str:
    return "right-" + right.replace(".", "-")


class RoleForm(RoleEditForm):
    name = NameField()
    named = ("name", "display_name", "own_only")


class GroupEditForm(Form):
    display_name = forms.CharField(label="Title", max_length=255, required=False)
    external = forms.CharField(
        label="Its name outside",
        max_length=255,
        required=False,
        widget=forms.TextInput(PLAIN),
        help_text="As an identity provider calls it, whose people come into it then.",
    )
    layout: Sequence[Section] = (Section("Group", ("name", "display_name", "external")),)


class GroupForm(GroupEditForm):
    name = NameField()


class MemberForm(Form):
    username = forms.CharField(label="User name", max_length=150, widget=forms.TextInput(PLAIN | {"list": "names"}))
    layout = (Section("Add somebody", ("username",)),)


class OwnPasswordForm(NewPasswordForm, Form):
    current_password = forms.CharField(
        label="Current password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )
    field_order = ("current_password", "new_password", "again")
    layout = (Section("Password", ("current_password", "new_password", "again")),)
