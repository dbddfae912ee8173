"""Shapes of clusters. A credential goes in and never comes out."""

from rest_framework import serializers

from clusters.actions import CLUSTER
from clusters.kubeconfig import LONGEST
from clusters.models import NameClaim
from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text, Whole
from core.names import dns_label
from core.rights import Right

ONE_OF = "either a kubeconfig, or server and token"
MOST_PEM = 64 * 1024
MOST_TOKEN = 16 * 1024


class AccessIn(Shape):
    """How to speak to a cluster, by token or client certificate. What a kubeconfig names as files is not read: flatten it."""

    kubeconfig = Text(max_length=LONGEST, allow_blank=True, default="", write_only=True, help_text=ONE_OF)
    context = Text(  # type: ignore[assignment]  # no attribute: DRF collects the fields of a shape
        max_length=255, allow_blank=True, default="", help_text="of the kubeconfig; default: its current one"
    )
    server = Text(max_length=512, allow_blank=True, default="", help_text="https://host:port of the API server")
    token = Text(max_length=MOST_TOKEN, allow_blank=True, default="", write_only=True, help_text="of a service account")
    ca = Text(max_length=MOST_PEM, allow_blank=True, default="", help_text="PEM; default: the system's certificates")


class ClusterIn(AccessIn):
    name = Text(max_length=63, validators=[dns_label], help_text="never changes")
    display_name = Text(max_length=255, allow_blank=True, default="", help_text="default: the name")
    is_default = Flag(default=False, help_text="where VDCs go that name no cluster; the first cluster is it anyway")


class ClusterEdit(Shape):
    display_name = Text(max_length=255, required=False)
    schedulable = Flag(required=False, help_text="false: no new VDCs there")
    is_default = Flag(required=False, help_text="true: instead of the one that is it now")
    tenant_access = Flag(required=False, help_text="whether people's roles in OVIM hold there, for kubectl")
    oidc_username_claim = serializers.ChoiceField(NameClaim.choices, required=False)
    oidc_username_prefix = Text(max_length=255, allow_blank=True, required=False, help_text="--oidc-username-prefix")
    oidc_groups_prefix = Text(max_length=255, allow_blank=True, required=False, help_text="--oidc-groups-prefix")
    oidc_issuer = Text(
        max_length=512, allow_blank=True, required=False, help_text="only people known from there; empty: from anywhere"
    )
    oidc_groups = Flag(
        required=False,
        help_text="bind groups that the identity provider knows as such: it then says who is in them, not OVIM",
    )


class ForgetIn(Shape):
    confirm = Text(max_length=63, help_text="the cluster's name")


class LeftBehind(Shape):
    objects = serializers.DictField(child=Whole(), help_text="kind → how many of OVIM's objects stay in the cluster")
    namespaces = serializers.ListField(child=Text(), help_text="the first hundred")
    rows = serializers.DictField(child=Whole(), help_text="kind → how many rows OVIM drops")


class ClusterOut(Shape):
    id = Id()
    name = Text()
    display_name = Text()
    server = Text()
    is_default = Flag()
    schedulable = Flag(help_text="whether it takes new VDCs")
    tenant_access = Flag(help_text="whether people's roles hold there, for kubectl")
    oidc_username_claim = serializers.ChoiceField(NameClaim.choices)
    oidc_username_prefix = Text()
    oidc_groups_prefix = Text()
    oidc_issuer = Text()
    oidc_groups = Flag()
    capabilities = serializers.JSONField(help_text="null: looked for and not there; missing: not looked at")
    lacking = serializers.JSONField(help_text="rights that OVIM's account should have there and has not")
    checked_at = Moment(allow_null=True, help_text="when capabilities and rights were last looked at")
    check_error = Text(help_text="why the last look failed")
    credential_expires_at = Moment(allow_null=True, help_text="if the token or the client certificate itself says so")
    signs_in_as = Text(help_text="the name and groups in OVIM's client certificate; empty: by a token")
    warnings = serializers.JSONField(help_text="what is to be done before it stops working, in sentences")
    failing_since = Moment(allow_null=True, help_text="since when it can't be reached")
    last_error = Text()
    seen_at = Moment(allow_null=True, help_text="when it last answered its watcher")
    watched_at = Moment(allow_null=True, help_text="when its watcher last said that it lives")
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(CLUSTER, Right.CLUSTER_VIEW)
