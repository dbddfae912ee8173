"""Rules that give nothing, and why: the role or the VDC that they name is gone, or going."""

from django.db.models import Case, Exists, F, OuterRef, Q, TextField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Concat

from tenancy.models import Organization


def why() -> Case:
    """An expression over rules; null: it gives its role to whoever it holds for."""
    vdcs = Organization.objects.filter(
        vdcs=OuterRef("vdc_id")
    )  # the reverse of vdcs' foreign key, which stands above us
    alive = vdcs.filter(vdcs__deletion_requested_at=None)
    gone: Combinable = Concat(Value("The role "), F("custom_name"), Value(" is gone."), output_field=TextField())
    return Case(
        When(role="", custom=None, then=gone),
        When(Q(vdc_id__isnull=False) & ~Exists(vdcs), then=Value("The VDC is gone.")),
        When(Q(vdc_id__isnull=False) & ~Exists(alive), then=Value("The VDC is being deleted.")),
        default=Value(None),
        output_field=TextField(),
    )
