"""Shapes of VDCs and quotas. Rules are in the services."""

from django.db.models import JSONField, OuterRef, Subquery
from rest_framework import serializers

from clusters.api.suspension import SUSPENDED, SuspendedOut, suspended
from clusters.reach import UNSEEN, unseen_since
from core.api.columns import moment
from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text, Whole
from core.names import dns_label
from core.rights import Right
from vdcs.actions import ACTIONS
from vdcs.models import Enforcement, NetworkMode, QuotaMode, QuotaScope

_scope = QuotaScope.objects.filter(vdc_id=OuterRef("pk"))
LIMITS = (
    "whole numbers (cpu, memory_mib, disk_gib, disk_gib/<storage class>, vms, running_vms) or quantities such as 8Gi; "
    "a resource without a limit is not limited"
)


class Limits(serializers.DictField):
    """Resource → whole number or quantity. Which names and values there are, `vdcs.limits` says."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**{"child": serializers.JSONField(), "help_text": LIMITS} | kwargs)  # type: ignore[arg-type]


class VdcIn(Shape):
    organization = Id()
    name = Text(max_length=63, validators=[dns_label], help_text="never changes")
    display_name = Text(max_length=255, allow_blank=True, default="", help_text="default: the name")
    description = Text(max_length=1000, allow_blank=True, default="")
    limits = Limits(default=dict)
    enforcement = serializers.ChoiceField(Enforcement.choices, default=Enforcement.ALLOCATED)
    network_mode = serializers.ChoiceField(NetworkMode.choices, default=NetworkMode.DEFAULT)
    min_disk_gib = Whole(min_value=1, allow_null=True, default=None)
    max_disk_gib = Whole(min_value=1, allow_null=True, default=None)
    cluster = Id(allow_null=True, default=None, help_text="default: the default cluster")


class VdcEdit(Shape):
    display_name = Text(max_length=255, required=False)
    description = Text(max_length=1000, allow_blank=True, required=False)
    limits = Limits(required=False)
    enforcement = serializers.ChoiceField(Enforcement.choices, required=False)
    network_mode = serializers.ChoiceField(NetworkMode.choices, required=False)
    min_disk_gib = Whole(min_value=1, allow_null=True, required=False)
    max_disk_gib = Whole(min_value=1, allow_null=True, required=False)
    allow_below_use = Flag(required=False, help_text="set a limit even below what is in use; nothing is taken away")


class VdcOut(Shape):
    sql = {
        "limits": Subquery(_scope.values("limits")[:1], output_field=JSONField()),
        "allocated": Subquery(_scope.values("allocated")[:1], output_field=JSONField()),
        "active": Subquery(_scope.values("active")[:1], output_field=JSONField()),
        "suspended": suspended(),
        "unseen_since": moment(unseen_since("cluster")),
    }
    id = Id()
    organization = Id(source="organization_id")
    organization_name = Text(source="organization.name")
    cluster = Id(source="cluster_id")
    cluster_name = Text(source="cluster.name")
    name = Text()
    display_name = Text()
    description = Text()
    namespace = Text()
    limits = serializers.JSONField(source="quota.limits", help_text=LIMITS)
    allocated = serializers.JSONField(source="quota.allocated", help_text="held by all VMs and disks")
    active = serializers.JSONField(source="quota.active", help_text="held by what is powered on")
    enforcement = Text(help_text="which of both the limits on cpu and memory_mib bind")
    network_mode = Text()
    min_disk_gib = Whole(allow_null=True)
    max_disk_gib = Whole(allow_null=True)
    phase = Text()
    conditions = serializers.JSONField()
    unseen_since = Moment(allow_null=True, help_text=UNSEEN)
    generation = Whole()
    observed_generation = Whole()
    created_at = Moment()
    updated_at = Moment()
    deletion_requested_at = Moment(allow_null=True)
    suspended = SuspendedOut(allow_null=True, help_text=SUSPENDED)
    allowed_actions = AllowedActions(ACTIONS, Right.VDC_VIEW)


class KubectlOut(Shape):
    """People's access in a VDC's namespace: the caller's own, and how it stands there as a whole."""

    namespace = Text()
    enabled = Flag(help_text="whether people's roles hold in its cluster")
    usernames = serializers.ListField(child=Text(), help_text="the names by which the cluster knows the caller")
    roles = serializers.ListField(child=Text(), help_text="ClusterRoles that the caller has in the namespace")
    hindrance = Text(help_text="why the caller has none")
    phase = Text()
    conditions = serializers.JSONField()
    people = serializers.DictField(child=Whole(), help_text="ClusterRole → how many have it; for who may see roles")


class QuotaIn(Shape):
    mode = serializers.ChoiceField(QuotaMode.choices, default=QuotaMode.RESERVATION)
    limits = Limits()
    allow_below_use = Flag(default=False, help_text="elastic only: set a limit even below what is in use")


class QuotaOut(Shape):
    mode = Text(help_text="reservation: the VDCs' limits fit; elastic: the VDCs' use fits")
    limits = serializers.JSONField(help_text=LIMITS)
    reserved = serializers.JSONField(help_text="the sums of the VDCs' limits")
    used = serializers.JSONField(help_text="the sums of what the VDCs use")
    generation = Whole()
