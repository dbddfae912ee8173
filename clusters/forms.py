"""What people fill in about clusters. A credential that was typed is never put into a page again."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from clusters.kubeconfig import LONGEST
from clusters.models import NameClaim
from core.ui.fields import PLAIN, NameField
from core.ui.filling import Form, Section
from core.ui.sure import NameForm

ACCESS = ("kubeconfig", "context", "server", "token", "ca")
BY_KUBECONFIG = Section("By a kubeconfig", ("kubeconfig", "context"), hint="or by address and token, below")
BY_TOKEN = Section("By address and token", ("server", "token", "ca"))


class Secret(forms.Textarea):
    """A text that is typed or pasted and not shown again, not even beside the refusal of another field."""

    def format_value(self, value: Any) -> str:
        return ""


class AccessForm(Form):
    """How to speak to a cluster."""

    kubeconfig = forms.CharField(
        required=False,
        max_length=LONGEST,
        strip=False,
        widget=Secret(PLAIN | {"rows": 6}),
        help_text="By token or client certificate: `kubectl config view --minify --flatten`.",
    )
    context = forms.CharField(
        required=False, max_length=255, widget=forms.TextInput(PLAIN), help_text="Empty: current."
    )
    server = forms.CharField(
        label="Address",
        required=False,
        max_length=512,
        widget=forms.TextInput(PLAIN | {"placeholder": "https://…:6443"}),
    )
    token = forms.CharField(required=False, max_length=16384, widget=Secret(PLAIN | {"rows": 3}))
    ca = forms.CharField(
        label="CA", required=False, max_length=65536, widget=forms.Textarea(PLAIN | {"rows": 4}),
        help_text="PEM. Empty: certificates that this system trusts.",
    )  # fmt: skip
    layout: Sequence[Section] = (BY_KUBECONFIG, BY_TOKEN)

    def access(self) -> Mapping[str, str]:
        return self.given(*ACCESS)


class ClusterForm(AccessForm):
    name = NameField()
    display_name = forms.CharField(label="Title", max_length=255, required=False, help_text="Empty: the name.")
    is_default = forms.BooleanField(
        label="Default", required=False, help_text="VDCs go there that name no cluster, instead of where they go now."
    )
    layout = (Section("What", ("name", "display_name", "is_default")), BY_KUBECONFIG, BY_TOKEN)


class ClusterEditForm(Form):
    display_name = forms.CharField(label="Title", max_length=255)
    schedulable = forms.BooleanField(
        label="Takes new VDCs", required=False, help_text="Without it what is there goes on, and nothing new comes."
    )
    is_default = forms.BooleanField(
        label="Default", required=False, help_text="VDCs go there that name no cluster. Another one stops being it."
    )
    tenant_access = forms.BooleanField(
        label="People’s roles hold there",
        required=False,
        help_text="Who has a role in OVIM can use kubectl accordingly, by the name that the cluster knows him by.",
    )
    oidc_username_claim = forms.ChoiceField(label="Known by", choices=NameClaim.choices)
    oidc_username_prefix = forms.CharField(
        label="Prefix of names", required=False, max_length=255, widget=forms.TextInput(PLAIN),
        help_text="As its API server has it (--oidc-username-prefix).",
    )  # fmt: skip
    oidc_issuer = forms.CharField(
        label="Identity provider", required=False, max_length=512, widget=forms.TextInput(PLAIN),
        help_text="Its issuer address, where people are known by their subject. Empty: any.",
    )  # fmt: skip
    oidc_groups = forms.BooleanField(
        label="Bind groups as groups",
        required=False,
        help_text="The identity provider then says who is in them: taking somebody out in OVIM does not reach the cluster.",
    )
    oidc_groups_prefix = forms.CharField(
        label="Prefix of groups", required=False, max_length=255, widget=forms.TextInput(PLAIN),
        help_text="As its API server has it (--oidc-groups-prefix).",
    )  # fmt: skip
    layout = (
        Section("Cluster", ("display_name", "schedulable", "is_default")),
        Section(
            "People’s access with kubectl",
            (
                "tenant_access", "oidc_username_claim", "oidc_username_prefix", "oidc_issuer", "oidc_groups",
                "oidc_groups_prefix",
            ),
        ),
    )  # fmt: skip


class ForgetForm(NameForm):
    """Its name, typed."""
