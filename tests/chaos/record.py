"""What the people were told: every attempt with its own request id, and the answer they ended with."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.plan import Operation


@dataclass
class Told:
    """One operation as its person knows it.

    `lost`: request ids of attempts without an answer, which may or may not have been carried out; `denied`: of those
    that were put off (429), which were not. `status` 0: no answer in the end.
    """

    operation: Operation
    target: str = ""  # the id of the row it was about
    request_ids: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    status: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    sent: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """It was told no, and no attempt before had been without an answer."""
        return 400 <= self.status < 500 and not self.lost


class Record:
    """Everything that was told, and the ids that people know things by. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: list[Told] = []
        self.ids: dict[tuple[str, ...], str] = {}  # ("vdc", organization, name) or ("vm", VDC's id, name) → id
        self.begun = 0

    def begin(self) -> None:
        with self._lock:
            self.begun += 1

    def add(self, told: Told) -> None:
        with self._lock:
            self._told.append(told)

    def learn(self, key: tuple[str, ...], pk: str) -> None:
        with self._lock:
            self.ids[key] = pk

    def knows(self, key: tuple[str, ...]) -> str:
        with self._lock:
            return self.ids.get(key, "")

    def all(self, *verbs: str) -> list[Told]:
        with self._lock:
            return [told for told in self._told if not verbs or told.operation.verb in verbs]

    def __iter__(self) -> Iterator[Told]:
        return iter(self.all())
