"""What can be done with catalogs and their items, and the states in which it can't: told beside each row.

The services decide. Whether somebody may make a machine is told beside the VDC that it would be in.
"""

from django.db.models import Q

from core.actions import Action, Actions
from core.rights import Right

CATALOG: Actions = {"use": Action(Right.IMAGE_USE, ((Q(enabled=False), "It is disabled."),))}
ITEM: Actions = {
    "use": Action(
        Right.IMAGE_USE,
        ((Q(catalog__enabled=False), "Its catalog is disabled."), (Q(image=None), "It has no image.")),
    )
}
