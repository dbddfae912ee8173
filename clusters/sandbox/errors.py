"""Status bodies: what the API server says when it refuses (facts/kubernetes.md section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

REASONS = {
    "Invalid value": "FieldValueInvalid",
    "Required value": "FieldValueRequired",
    "Forbidden": "FieldValueForbidden",
    "Unsupported value": "FieldValueNotSupported",
    "Duplicate value": "FieldValueDuplicate",
    "Too long": "FieldValueTooLong",
    "Too many": "FieldValueTooMany",
    "Not found": "FieldValueNotFound",
}


class ApiError(Exception):
    """A refusal with the Status body a client would read."""

    def __init__(self, body: Object, *, headers: dict[str, str] | None = None, warnings: Sequence[str] = ()) -> None:
        super().__init__(body.get("message", ""))
        self.body = body
        self.headers = headers or {}
        self.warnings = list(warnings)

    @property
    def code(self) -> int:
        return int(self.body.get("code", 500))

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))


class TextError(Exception):
    """A refusal that is plain text, not a Status: the API machinery does not know the path at all."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True)
class FieldError:
    """One cause of a 422; `kind` is the word the message starts with."""

    kind: str
    field: str
    detail: str = ""
    reason: str = ""  # where the reason is not the one the kind implies

    @property
    def message(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind

    def text(self) -> str:
        return f"{self.field}: {self.message}"

    def cause(self) -> Object:
        reason = self.reason or REASONS.get(self.kind, "FieldValueInvalid")
        return {"reason": reason, "message": self.message, "field": self.field}


def status(code: int, reason: str, message: str, details: Object | None = None) -> Object:
    """The Failure body; an empty reason is left out, as the real server does for plain 500s."""
    body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if reason:
        body["reason"] = reason
    if details is not None:
        body["details"] = details
    body["code"] = code
    return body


def error(code: int, reason: str, message: str, details: Object | None = None) -> ApiError:
    return ApiError(status(code, reason, message, details))


def _details(resource: str, group: str, name: str) -> Object:
    details: Object = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if resource:
        details["kind"] = resource
    return details


def qualified(word: str, group: str) -> str:
    return f"{word}.{group}" if group else word


def not_found(resource: str, group: str, name: str) -> ApiError:
    message = f'{qualified(resource, group)} "{name}" not found'
    return error(404, "NotFound", message, _details(resource, group, name))


def unknown_resource() -> ApiError:
    return error(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: str, group: str, name: str, *, terminating: bool = False) -> ApiError:
    message = f'{qualified(resource, group)} "{name}" already exists'
    if terminating:
        message = "object is being deleted: " + message
    return error(409, "AlreadyExists", message, _details(resource, group, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: str, group: str, name: str, why: str = STALE) -> ApiError:
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return error(409, "Conflict", message, _details(resource, group, name))


def forbidden(resource: str, group: str, name: str, why: str) -> ApiError:
    target = f' "{name}"' if name else ""
    message = f"{qualified(resource, group)}{target} is forbidden: {why}"
    return error(403, "Forbidden", message, _details(resource, group, name))


def bad_request(message: str) -> ApiError:
    return error(400, "BadRequest", message)


def internal(message: str) -> ApiError:
    """A 500 with no reason: failures of decoding that the server did not foresee (k8s-transcript 12)."""
    return error(500, "", message)


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return error(405, "MethodNotAllowed", message, {})


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    texts = list(dict.fromkeys(e.text() for e in errors))  # the message lists equal errors once, the causes all
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = _details(kind, group, name)
    details["causes"] = [e.cause() for e in errors]
    return error(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {joined}', details)
