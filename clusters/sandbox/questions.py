"""What a write asks webhooks, and what it was told.

Writes run without a pause, so none can wait for the network. A write that lacks an answer is given up before anything
is stored (`PendingError`); the server fetches the answers and runs the write again from the start, with this memory.
What the first run made up (uid, time, generated name) it finds again, so the questions stay the same; when another
write came between and they differ, they are asked anew, as the real server does after a conflict.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

Object = dict[str, Any]
T = TypeVar("T")
REVIEW_VERSION = "admission.k8s.io/v1"


@dataclass
class Outcome:
    """A webhook's `response`, or why there is none (in the words of the real server's client)."""

    response: Object = field(default_factory=dict)
    failure: str = ""


@dataclass
class Question:
    """One AdmissionReview for one webhook."""

    key: str
    hook: Object  # the webhook as configured: name, clientConfig, timeoutSeconds
    fingerprint: bytes
    request: Object
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))

    def body(self) -> bytes:
        review = {
            "kind": "AdmissionReview",
            "apiVersion": REVIEW_VERSION,
            "request": {"uid": self.uid, **self.request},
        }
        return orjson.dumps(review)


class PendingError(Exception):
    """The write can't go on before these are answered."""

    def __init__(self, questions: list[Question]) -> None:
        super().__init__(", ".join(question.key for question in questions))
        self.questions = questions


class Memory:
    """Lives as long as one request."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}
        self._answers: dict[str, tuple[bytes, Outcome]] = {}

    def once(self, what: str, make: Callable[[], T]) -> T:
        """What `make` said in the first run."""
        if what not in self._made:
            self._made[what] = make()
        found: T = self._made[what]
        return found

    def question(self, key: str, hook: Object, request: Object) -> Question | Outcome:
        """The answer to a question asked before, or the question."""
        print_of = fingerprint(request)
        known = self._answers.get(key)
        if known is not None and known[0] == print_of:
            return known[1]
        return Question(key, hook, print_of, request)

    def learn(self, question: Question, outcome: Outcome) -> None:
        self._answers[question.key] = (question.fingerprint, outcome)


def fingerprint(request: Object) -> bytes:
    """What makes two questions the same: all but the times in managedFields, which a second run sets anew."""

    def timeless(obj: Any) -> Any:
        if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
            return obj
        return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}

    plain = {**request, "object": timeless(request.get("object")), "oldObject": timeless(request.get("oldObject"))}
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
