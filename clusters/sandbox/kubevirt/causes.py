"""Refusals of KubeVirt's admission webhooks: causes, and the Status they become.

Sources: facts/kubernetes.md section 10 and k8s-transcript/20-vm-verdicts.json (joined by ", ", at most ten).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

INVALID = "FieldValueInvalid"
REQUIRED = "FieldValueRequired"
NOT_FOUND = "FieldValueNotFound"
NOT_SUPPORTED = "FieldValueNotSupported"
DUPLICATE = "FieldValueDuplicate"
FORBIDDEN = "FieldValueForbidden"

MUTATOR = "virtualmachines-mutator.kubevirt.io"
VALIDATOR = "virtualmachine-validator.kubevirt.io"
VMI_VALIDATOR = "virtualmachineinstances-create-validator.kubevirt.io"
LIMIT = 10


@dataclass(frozen=True)
class Cause:
    """One reason of a refusal; schema errors carry a message only."""

    message: str
    field: str = ""
    reason: str = INVALID

    def body(self) -> Object:
        parts = {"reason": self.reason, "message": self.message, "field": self.field}
        return {key: value for key, value in parts.items() if value}


class DeniedError(Exception):
    """A webhook's answer "no"; `status` is the Status it returns, before the API server adds its prefix."""

    def __init__(self, message: str, *, code: int, causes: Sequence[Cause] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.causes = tuple(causes)

    def status(self, webhook: str) -> Object:
        """The body a client reads: the API server puts the webhook's name in front."""
        text = f'admission webhook "{webhook}" denied the request: {self.message}'
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": text}
        if self.causes:
            body["reason"] = "Invalid"
            body["details"] = {"causes": [cause.body() for cause in self.causes]}
        return body | {"code": self.code}


def denied(causes: Sequence[Cause]) -> DeniedError:
    """422 with every cause, cut after the tenth."""
    shown = list(causes[:LIMIT])
    message = ", ".join(cause.message for cause in shown)
    if len(causes) > LIMIT:
        message += f", and {len(causes) - LIMIT} more validation errors"
    return DeniedError(message, code=422, causes=shown)


def undecodable(message: str) -> DeniedError:
    """400 without reason: the webhook could not decode or look up what it was sent."""
    return DeniedError(message, code=400)


def refuse(causes: Iterable[Cause]) -> None:
    found = list(causes)
    if found:
        raise denied(found)
