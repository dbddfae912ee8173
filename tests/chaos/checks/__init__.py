"""One module per promise; each check answers the differences it found, in words. None is what is hoped for."""

from collections.abc import Callable

from tests.chaos.checks import audited, conditions, objects, owners, quotas, told
from tests.chaos.picture import Picture
from tests.chaos.record import Record

Check = Callable[[Picture], list[str]]

# What the rows and the cluster say for themselves.
CHECKS: dict[str, Check] = {
    "desired is live": objects.desired_is_live,
    "in plain words": objects.in_plain_words,
    "nothing is left to do": objects.nothing_is_left_to_do,
    "every object has its row": owners.every_object_has_its_row,
    "every row has its objects": owners.every_row_has_its_objects,
    "conditions are true": conditions.are_true,
    "quotas hold": quotas.hold,
    "ledger is exact": quotas.ledger_is_exact,
    "every change is audited": audited.every_change,
}
# What people were told beside what came of it.
TOLD: dict[str, Callable[[Picture, Record], list[str]]] = {
    "what was promised is there": told.promised_is_there,
    "what was refused left nothing": told.refused_left_nothing,
    "acts are audited once": audited.once,
}
