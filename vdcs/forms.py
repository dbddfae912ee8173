"""What people fill in about VDCs, quotas and roles. Rules are in the services."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from core import quantities
from core.ui.fields import PLAIN, NameField, QuantityField
from core.ui.filling import Form, Section
from core.ui.sure import NameForm
from tenancy.forms import OrganizationForm
from vdcs.limits import MOST
from vdcs.models import Enforcement, NetworkMode, QuotaMode

LIMITS = ("cpu", "memory_mib", "disk_gib", "vms", "running_vms")
LIMIT_SECTION = Section("Limits", (*LIMITS, "classes"), hint="what is left empty is not limited", css="three")
LONGEST = 4000
MODES = [
    (QuotaMode.RESERVATION, "Reserved: the sum of its VDCs’ limits has to fit"),
    (QuotaMode.ELASTIC, "Shared: the sum of what its VDCs use has to fit"),
]
ENFORCEMENTS = [
    (Enforcement.ALLOCATED, "Every machine counts, running or not"),
    (Enforcement.ACTIVE, "vCPU and memory count while a machine is powered on"),
]
NETWORKS = [
    (NetworkMode.DEFAULT, "Open: machines of other VDCs are reached"),
    (NetworkMode.ISOLATED, "Isolated: only machines of this VDC are reached"),
]


def _count(label: str) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=0, max_value=MOST, required=False)


class LimitsForm(Form):
    """Limits by resource. `limits` is what services take, `limits_of` the way back."""

    cpu = _count("vCPU")
    memory_mib = QuantityField(quantities.mebibytes, "64Gi", label="Memory", help_text="Such as 64Gi.")
    disk_gib = QuantityField(quantities.gibibytes, "2Ti", label="Disk", help_text="Such as 500Gi or 2Ti.")
    vms = _count("VMs")
    running_vms = _count("Running VMs")
    classes = forms.CharField(
        label="Disk by storage class",
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea({"rows": 2, "spellcheck": "false", "placeholder": "fast-nvme 200Gi"}),
        help_text="One a line: its name and a quantity.",
    )

    def clean_classes(self) -> dict[str, int]:
        """`<storage class> <quantity>` lines as limits. Which names there are, `vdcs.limits` says."""
        found: dict[str, int] = {}
        for line in self.cleaned_data["classes"].splitlines():
            if not line.strip():
                continue
            name, _, size = line.strip().partition(" ")
            try:
                found[f"disk_gib/{name}"] = quantities.gibibytes(size.replace(" ", "").replace("iB", "i"))
            except quantities.NotExact as error:
                raise forms.ValidationError(f"{name}: {error}", code="quantity") from None
        return found

    def limits(self, before: Mapping[str, int] | None = None) -> dict[str, int]:
        """As they are typed; of a field that is wrong, what there was `before`."""
        given: Mapping[str, Any] = getattr(self, "cleaned_data", {})
        found = {name: given[name] for name in LIMITS if given.get(name) is not None}
        found |= given.get("classes") or {}
        kept = {name: value for name, value in (before or {}).items() if self.place_of(f"limits.{name}") in self.errors}
        return found | kept

    def place_of(self, path: str) -> str:
        name = path.removeprefix("limits.")
        return "classes" if "/" in name else super().place_of(name)


def limits_of(limits: Mapping[str, int]) -> dict[str, Any]:
    """The fields of limits that there are, as somebody would type them."""
    typed = {"memory_mib": quantities.of_mebibytes, "disk_gib": quantities.of_gibibytes}
    found: dict[str, Any] = {name: typed.get(name, str)(limits[name]) for name in LIMITS if name in limits}
    classes = sorted(name for name in limits if "/" in name)
    lines = [f"{name.partition('/')[2]} {quantities.of_gibibytes(limits[name])}" for name in classes]
    return found | {"classes": "\n".join(lines)}


class QuotaForm(LimitsForm):
    mode = forms.ChoiceField(label="How its VDCs draw from it", choices=MODES)
    allow_below_use = forms.BooleanField(
        label="Even below what is in use",
        required=False,
        help_text="Of a shared quota. Nothing is taken away; nothing more fits.",
    )
    layout: Sequence[Section] = (LIMIT_SECTION, Section("How it counts", ("mode", "allow_below_use")))


class NewOrganizationForm(LimitsForm, OrganizationForm):
    mode = forms.ChoiceField(label="How its VDCs draw from it", choices=MODES)
    layout = (*OrganizationForm.layout, LIMIT_SECTION, Section("How it counts", ("mode",)))


class VdcEditForm(LimitsForm):
    display_name = forms.CharField(label="Title", max_length=255)
    description = forms.CharField(label="About", max_length=1000, required=False)
    enforcement = forms.ChoiceField(label="What counts", choices=ENFORCEMENTS)
    network_mode = forms.ChoiceField(label="Network", choices=NETWORKS)
    min_disk_gib = QuantityField(quantities.gibibytes, "1Gi", label="Smallest disk", help_text="Such as 1Gi.")
    max_disk_gib = QuantityField(quantities.gibibytes, "500Gi", label="Largest disk", help_text="Such as 500Gi.")
    allow_below_use = forms.BooleanField(
        label="Even below what is in use", required=False, help_text="Nothing is taken away; nothing more fits."
    )
    layout: Sequence[Section] = (
        Section("What", ("display_name", "description")),
        LIMIT_SECTION,
        Section("Rules", ("enforcement", "network_mode", "min_disk_gib", "max_disk_gib", "allow_below_use")),
    )

    SETTINGS = ("display_name", "description", "enforcement", "network_mode", "min_disk_gib", "max_disk_gib")


class VdcForm(VdcEditForm):
    organization = forms.ChoiceField()
    name = NameField()
    cluster = forms.ChoiceField(required=False)
    allow_below_use = None  # type: ignore[assignment]  # Django's way to leave out a field of the base
    layout = (
        Section("Where and what", ("organization", "name", "display_name", "description", "cluster")),
        *VdcEditForm.layout[1:],
    )

    def __init__(
        self, *args: Any, organizations: Sequence[tuple[str, str]], clusters: Sequence[tuple[str, str]], **kwargs: Any
    ) -> None:
        """`clusters`: to choose from; without any there is no such field."""
        super().__init__(*args, **kwargs)
        self.fields["organization"].choices = organizations  # type: ignore[attr-defined]
        self.fields["display_name"].required = False
        self.fields["display_name"].help_text = "Empty: the name."
        if clusters:
            self.fields["cluster"].choices = [("", "the default one"), *clusters]  # type: ignore[attr-defined]
        else:
            del self.fields["cluster"]


class VdcDeleteForm(NameForm):
    cascade = forms.BooleanField(label="What is in it goes first", required=False)
    strangers = forms.IntegerField(
        label="Objects that are not OVIM’s",
        required=False,
        min_value=0,
        max_value=99_999_999,
        help_text="How many of them go with it. Leave it empty unless the VDC says that it holds some.",
    )
    layout = (Section("To be sure", ("confirm", "cascade", "strangers")),)


def _until() -> forms.DateTimeField:
    return forms.DateTimeField(
        label="Until",
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="In UTC. Empty: for good.",
    )


class RoleEndForm(Form):
    until = _until()
    layout = (Section("When it ends", ("until",)),)

    def place_of(self, path: str) -> str:
        return {"expires_at": "until"}.get(path, path)


class RoleForm(Form):
    """Who gets which role where, and until when. What the page says already is no field."""

    username = forms.CharField(
        label="User name", max_length=150, required=False, widget=forms.TextInput(PLAIN | {"list": "names"})
    )
    group = forms.ChoiceField(label="Or a group", required=False)
    role = forms.ChoiceField()
    place = forms.ChoiceField(label="Where")
    until = _until()
    layout = (Section("Give a role", ("username", "group", "role", "place", "until"), css="three"),)

    def __init__(
        self,
        *args: Any,
        roles: Sequence[tuple[str, str]],
        places: Sequence[tuple[str, str]],
        groups: Sequence[tuple[str, str]] = (),
        whose: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = roles  # type: ignore[attr-defined]
        self.fields["place"].choices = places  # type: ignore[attr-defined]
        self.fields["group"].choices = [("", "no group"), *groups]  # type: ignore[attr-defined]
        if whose:
            del self.fields["username"]
        if whose or not groups:
            del self.fields["group"]

    def place_of(self, path: str) -> str:
        named = {"user": "username", "organization": "place", "vdc": "place", "vm": "place", "expires_at": "until"}
        return named.get(path, path)
