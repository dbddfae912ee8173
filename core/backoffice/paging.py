"""Pages of a table of any size: nothing counts it."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator

BOUND = 5_000  # rows that are counted and can be paged to; beyond, people search or filter


if TYPE_CHECKING:
    Base = Paginator[Any]
else:
    Base = Paginator


class BoundedPaginator(Base):
    """Counts up to BOUND, so that a list costs the same however large its table is. `more`: there are others."""

    @cached_property
    def _seen(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: BOUND + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self._seen, BOUND)

    @property
    def more(self) -> bool:
        return self._seen > BOUND
