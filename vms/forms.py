"""What people fill in to make a VM: shapes only. Whether it may be and fits, the service says."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import forms

from catalogs.models import CatalogItem
from core import quantities
from core.ui.amounts import amount
from core.ui.fields import PLAIN, NameField, QuantityField
from core.ui.filling import Form, Section
from vdcs.meters import meters
from vdcs.models import Vdc
from vdcs.selectors import usage_of
from vms.models import Order


class VmForm(Form):
    """Field names are the service's; `fields_of` maps its refusals back to them."""

    vdc = forms.ChoiceField(label="VDC")
    name = NameField()
    catalog_item = forms.ChoiceField(label="Template", widget=forms.RadioSelect)
    cpu = forms.IntegerField(label="vCPU", min_value=1, max_value=2**31 - 1, required=False)
    memory_mib = QuantityField(quantities.mebibytes, "8Gi", label="Memory", help_text="Such as 4Gi or 512Mi.")
    disk_gib = QuantityField(quantities.gibibytes, "20Gi", label="Disk", help_text="Such as 20Gi.")
    storage_class = forms.ChoiceField(
        label="Storage class", required=False, help_text="There are limits by class here, so one has to be named."
    )
    ssh_keys = forms.CharField(
        label="SSH keys",
        required=False,
        max_length=65536,
        help_text="Public keys, one a line.",
        widget=forms.Textarea({"rows": 3, "spellcheck": "false", "placeholder": "ssh-ed25519 AAAA… you@laptop"}),
    )
    user_data = forms.CharField(
        label="cloud-init",
        required=False,
        max_length=65536,
        strip=False,
        help_text="Empty: what the template brings.",
        widget=forms.Textarea({"rows": 6, "spellcheck": "false", "placeholder": "#cloud-config", "data-secret": True}),
    )

    def __init__(
        self,
        *args: Any,
        vdcs: Iterable[Vdc],
        items: Iterable[CatalogItem],
        classes: Callable[[Vdc], list[str]],
        **kwargs: Any,
    ) -> None:
        """`classes`: the storage classes that a VDC asks to choose from; without any there is no such field."""
        super().__init__(*args, **kwargs)
        self._vdcs = {str(vdc.pk): vdc for vdc in vdcs}
        self._items = {str(item.pk): item for item in items}
        self.fields["vdc"].choices = [(pk, _place(vdc)) for pk, vdc in self._vdcs.items()]  # type: ignore[attr-defined]
        self.fields["catalog_item"].choices = [(pk, item.display_name) for pk, item in self._items.items()]  # type: ignore[attr-defined]
        self._offer_classes(classes)

    def _offer_classes(self, classes: Callable[[Vdc], list[str]]) -> None:
        vdc = self.chosen("vdc")
        names = classes(vdc) if vdc else []
        if not names:
            del self.fields["storage_class"]
            return
        self.fields["storage_class"].choices = [("", "Choose one"), *((name, name) for name in names)]  # type: ignore[attr-defined]
        if self.is_bound and self.data.get("storage_class") not in names:  # chosen for the VDC that was picked before
            self.data = dict(self.data.items()) | {"storage_class": ""}

    def storage(self) -> forms.BoundField | None:
        return self["storage_class"] if "storage_class" in self.fields else None

    @property
    def vdcs(self) -> list[Vdc]:
        return list(self._vdcs.values())

    @property
    def items(self) -> list[CatalogItem]:
        return list(self._items.values())

    def place(self) -> list[forms.BoundField]:
        return [self["vdc"], self["name"]]

    def measures(self) -> list[forms.BoundField]:
        return [self[name] for name in SIZES]

    def chosen(self, name: str) -> Any:
        """The VDC or item that is picked now, as a row; None when none is, or one that is not on offer."""
        return {"vdc": self._vdcs, "catalog_item": self._items}[name].get(str(self[name].value() or ""))  # type: ignore[attr-defined]

    def wish(self) -> dict[str, Any]:
        """As the service takes it. Call it when the form is valid."""
        given: Mapping[str, Any] = self.cleaned_data
        return {
            **{name: value for name, value in given.items() if name not in ("key", "generation")},
            "vdc": self._vdcs[given["vdc"]],
            "catalog_item": self._items[given["catalog_item"]],
            "ssh_keys": [line.strip() for line in given["ssh_keys"].splitlines() if line.strip()],
            "user_data": given["user_data"].replace("\r\n", "\n") or None,
        }

    def sizes(self) -> dict[str, int]:
        """What it would take, as far as it can be told: what is typed, else what the template says."""
        item = self.chosen("catalog_item")
        typed = self.cleaned_data if self.is_bound else {}
        found = {name: typed.get(name) or getattr(item, name, None) for name in SIZES}
        sizes = {name: value for name, value in found.items() if value is not None and name not in self.errors}
        if typed.get("storage_class") and "disk_gib" in sizes:
            sizes[f"disk_gib/{typed['storage_class']}"] = sizes["disk_gib"]
        return sizes


SIZES = ("cpu", "memory_mib", "disk_gib")


def _place(vdc: Vdc) -> str:
    """Its name, and the memory that is left in it: the one number that most often decides."""
    name = f"{vdc.organization.name} / {vdc.name}"
    memory = next((meter for meter in meters(usage_of(vdc)) if meter.resource == "memory_mib"), None)
    return name if memory is None or memory.limit is None else f"{name} — {amount(memory.left, 'memory_mib')} free"


def typed_size(name: str, value: int) -> str:
    """A size as somebody would type it in a form."""
    if name == "memory_mib":
        return f"{value // 1024}Gi" if value % 1024 == 0 else f"{value}Mi"
    return f"{value}Gi" if name == "disk_gib" else str(value)


class VmEditForm(Form):
    """What of a machine can be changed. Its name and its disk can't."""

    display_name = forms.CharField(label="Title", max_length=255, required=False)
    description = forms.CharField(
        label="Description", max_length=1000, required=False, widget=forms.Textarea({"rows": 3})
    )
    cpu = forms.IntegerField(label="vCPU", min_value=1, max_value=2**31 - 1, widget=forms.NumberInput(PLAIN))
    memory_mib = QuantityField(quantities.mebibytes, "8Gi", label="Memory", help_text="Such as 4Gi or 512Mi.")
    layout = (
        Section("What it is", ("display_name", "description")),
        Section("Size", ("cpu", "memory_mib"), hint="changed while the machine is stopped"),
    )

    def clean_description(self) -> str:
        """A browser sends line ends in its own way, which is no change."""
        return str(self.cleaned_data["description"]).replace("\r\n", "\n")

    def clean_memory_mib(self) -> int:
        size: int | None = self.cleaned_data["memory_mib"]
        if size is None:
            raise forms.ValidationError("Say how much, such as 4Gi.", code="required")
        return size

    def clean(self) -> None:
        """What could be read stays so, whatever the service then says of it: the plan tells it all the same."""
        self._read = self.given("display_name", "description", "cpu", "memory_mib")

    def changes(self) -> dict[str, Any]:
        """As the service takes them. Of a form that was not sent nothing."""
        return dict(getattr(self, "_read", {}))


class OrderForm(forms.Form):
    """An order, given beside the condition that asks for it."""

    order = forms.ChoiceField(choices=Order.choices)
    disk = forms.UUIDField(required=False)
    confirm = forms.CharField(required=False, max_length=63)
