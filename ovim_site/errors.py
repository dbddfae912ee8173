"""The one place where a refusal becomes HTTP: RFC 9457 problems for the API, a page for people.

Refusals are audited here, in a transaction of their own, since theirs has rolled back.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework import exceptions as drf
from rest_framework.permissions import SAFE_METHODS
from rest_framework.views import set_rollback

from core import access, audit, rows
from core.actor import Actor
from core.api.base import ApiViewSet
from core.api.json import LARGEST
from core.errors import (
    BadParameter,
    Busy,
    Conflict,
    DomainError,
    Ended,
    FieldError,
    Forbidden,
    InProgress,
    Invalid,
    NotFound,
    Previewing,
    QuotaExceeded,
    Stale,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

log = logging.getLogger(__name__)

STATUS: Mapping[type[DomainError], int] = {
    BadParameter: 400,
    Invalid: 422,
    Unauthenticated: 401,
    NotFound: 404,
    Forbidden: 403,
    Previewing: 403,
    Conflict: 409,
    Ended: 410,
    Stale: 412,
    TooLarge: 413,
    Throttled: 429,
    Busy: 429,
    QuotaExceeded: 422,
    Unavailable: 503,
}
TYPE = "urn:ovim:problem:"
ASLEEP = "25P03"  # we were stopped inside a transaction, and the server ended it
BUSY = ("55P03", "57014", "40P01")  # lock_timeout, statement_timeout, deadlock
# The connection may have ended in the middle of a commit, or between the commit and the answer.
UNKNOWN = (
    "Whether what you asked for was done is not known: look before you ask again, or send the same Idempotency-Key."
)
INSIDE = ("/healthz", "/readyz", "/metrics")  # asked from inside the cluster, by the pod's address
AUDITED = (Forbidden, Previewing, QuotaExceeded, Unauthenticated)


def status_of(error: DomainError) -> int:
    if isinstance(error, Invalid) and any(item.rule in ("json", "type") and not item.field for item in error.errors):
        return 400
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 400)


def problem(error: DomainError, request_id: str) -> dict[str, Any]:
    """The RFC 9457 body: type, title, status, detail, code, errors[], and quota[] where one refused."""
    status = status_of(error)
    body: dict[str, Any] = {
        "type": TYPE + error.code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        body["errors"] = [{"field": e.field, "rule": e.rule, "message": e.message} for e in error.errors]
    if isinstance(error, QuotaExceeded):
        body["errors"] = [
            {"field": s.resource.split("/")[0], "rule": "quota", "message": error.message} for s in error.shortages
        ]
        body["quota"] = [
            {
                "resource": s.resource,
                "level": s.level,
                "scope": s.scope,
                "ledger": s.ledger,
                "limit": s.limit,
                "used": s.used,
                "requested": s.requested,
                "short_by": s.short_by,
                "fits": s.fits,
                "who_can_change": error.who_can_change,
            }
            for s in error.shortages
        ]
    body.update(error.extra)
    return body


def as_domain_error(error: Exception) -> DomainError | None:
    """A refusal of Django or DRF as ours; None for what is a fault of our own."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, drf.ValidationError):
        return _invalid(list(_flatten(error.detail, "")))
    if isinstance(error, ValidationError):
        return _invalid(_validation_errors(error))
    if isinstance(error, Http404):
        return NotFound("There is nothing at this address.")
    if isinstance(error, RequestDataTooBig):
        return TooLarge("The body is too large.")
    if isinstance(error, SuspiciousOperation):  # too many fields or files in a form, say: not meant well, and no fault
        return _Answered(400)
    if isinstance(error, drf.ParseError):
        return Invalid.field("", "type", str(error))
    return _of_database(error)


def _of_database(error: Exception) -> DomainError | None:
    if isinstance(error, IntegrityError):
        return rows.explained(error)
    if isinstance(error, DataError):  # a NUL byte or a number past its column, where no shape was in between
        return Invalid("A value does not fit into the database: " + str(error).splitlines()[0])
    state = getattr(error.__cause__, "sqlstate", None)
    if not isinstance(error, OperationalError | InterfaceError) and state != ASLEEP:
        return None
    if state in BUSY:
        return Busy("Others are changing this at the moment: nothing was done, try again.")
    log.error("the database can't be reached: %s", error)
    return Unavailable(f"The database can't be reached. {UNKNOWN}")


def _invalid(errors: list[FieldError]) -> Invalid:
    first = errors[0] if errors else FieldError("", "invalid", "The input is not valid.")
    where = f"{first.field}: " if first.field else ""
    return Invalid(where + first.message, errors=errors)


def _flatten(detail: Any, path: str) -> Any:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            inner = path if key == "non_field_errors" else f"{path}.{key}" if path else str(key)
            yield from _flatten(value, inner)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            yield from _flatten(value, f"{path}[{index}]" if isinstance(value, Mapping) else path)
    else:
        yield FieldError(path, getattr(detail, "code", "invalid"), str(detail))


def _validation_errors(error: ValidationError) -> list[FieldError]:
    if hasattr(error, "error_dict"):
        return [
            FieldError("" if field == "__all__" else field, str(item.code or "invalid"), message)
            for field, items in error.error_dict.items()
            for item in items
            for message in item.messages
        ]
    return [
        FieldError("", str(item.code or "invalid"), message) for item in error.error_list for message in item.messages
    ]


def api_exception(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """DRF's exception hook. What is none of ours goes on to `ErrorEdge`."""
    set_rollback()
    request: HttpRequest = context["request"]._request
    known = as_domain_error(error)
    if known is None and isinstance(error, drf.APIException):
        return _api(request, _Passed(error))
    if known is None:
        _remember_fault(request, error, context["request"].auth, context.get("view"))
        return None
    _remember(request, known, context["request"].auth, context.get("view"))
    return _api(request, known)


class _Passed(DomainError):
    """An APIException of DRF itself (405, 406, 415) on its way out."""

    def __init__(self, error: drf.APIException) -> None:
        super().__init__(str(error.detail))
        self.status = error.status_code
        self.code = str(error.get_codes())


def _api(request: HttpRequest, error: DomainError) -> HttpResponse:
    body = problem(error, getattr(request, "request_id", ""))
    status = getattr(error, "status", None)
    if status is not None:  # not one of ours: it brings its own
        body |= {"status": status, "title": HTTPStatus(status).phrase}
    response = HttpResponse(
        orjson.dumps(body, default=str), status=body["status"], content_type="application/problem+json"
    )
    if body["status"] == 401:
        response["WWW-Authenticate"] = "Bearer"
    if body["status"] in (429, 503) or isinstance(error, InProgress):
        response["Retry-After"] = str(error.extra.get("retry_after", 1))
    return response


def _remember(request: HttpRequest, error: DomainError, actor: Actor | None, view: object = None) -> None:
    if not isinstance(error, AUDITED):
        return
    if getattr(request, "dry_run", False) and not isinstance(error, Forbidden):
        return  # a trial leaves no trace, except of one who tried what he has no right to
    who = actor or getattr(request, "actor", None)
    if who is None:
        return  # sign-in audits its own refusals, with the name that was tried
    audit.refused(who, _action(request), error.message, row=error.row or _addressed(request, who, view))


def _remember_fault(request: HttpRequest, error: Exception, actor: Actor | None, view: object = None) -> None:
    """A write that broke on our side, as failed. What broke may be what the log is written with: then the log file has it."""
    who = actor or getattr(request, "actor", None)
    if who is None or request.method in SAFE_METHODS:
        return
    try:
        why = f"It broke on OVIM's side ({type(error).__name__}); the cause is logged under the request id."
        audit.refused(who, _action(request), why, failed=True, row=_addressed(request, who, view))
    except DatabaseError:
        log.exception("a failed request is not in the audit log", extra={"path": request.path})


def _action(request: HttpRequest) -> str:
    match = request.resolver_match
    return f"{request.method} {match.view_name if match else request.path}"


def _addressed(request: HttpRequest, actor: Actor, view: object) -> Model | None:
    match = request.resolver_match
    pk = match.kwargs.get("pk") if match else None
    return _seen(actor, view, pk) if isinstance(view, ApiViewSet) and pk else None


def _seen(actor: Actor, view: ApiViewSet, pk: Any) -> Model | None:
    """The row of the address, if whoever was refused sees it at all."""
    return access.visible(actor, view.queryset.all(), view.read_right).filter(pk=pk).first()


class ErrorEdge:
    """Middleware: every exception of a page, and every fault anywhere, leaves as an answer that explains itself.

    It also refuses a body that says it is too large before anything reads it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path not in INSIDE and not _is_ours(request):
            return response(request, _Answered(400))  # before anything makes an address of it
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > LARGEST:
            return response(request, TooLarge(f"The body is larger than {LARGEST} bytes."))
        answer = self.get_response(request)
        kind = answer.headers.get("Content-Type", "")
        if answer.status_code >= 400 and request.path.startswith("/api/") and "json" not in kind:
            return _api(request, _Answered(answer.status_code))
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        return response(request, error)


def _is_ours(request: HttpRequest) -> bool:
    """Whether the request names a host that we answer to."""
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True


class _Answered(DomainError):
    """A status that Django itself, or a middleware, answered with a page; here without one."""

    def __init__(self, status: int) -> None:
        known = {404: "There is nothing at this address.", 400: "The request is not well-formed."}
        super().__init__(known.get(status, HTTPStatus(status).phrase))
        self.status = status
        self.code = {404: "not_found", 400: "bad_request"}.get(status, HTTPStatus(status).name.lower())


class _Fault(DomainError):
    """Something of ours broke. The cause is in the log, under the request id; the caller learns nothing else."""

    code = "internal_error"
    status = 500


def response(request: HttpRequest, error: Exception) -> HttpResponse:
    """Any refusal or fault as an answer: a problem under /api/, a page elsewhere."""
    known = as_domain_error(error)
    if known is None:
        log.error("unhandled error", exc_info=error, extra={"path": request.path})
        if not request.path.startswith("/api/"):  # there it was seen on the way, with who asked
            _remember_fault(request, error, None)
        known = _Fault(f"Something broke on our side; it is logged under the request id. {UNKNOWN}")
    if request.path.startswith("/api/"):
        return _api(request, known)
    _remember(request, known, None)
    status = getattr(known, "status", None) or status_of(known)
    page = {"error": known, "status": status, "request_id": getattr(request, "request_id", "")}
    return render(request, "error.html", page, status=status)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler404."""
    return response(request, NotFound("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: what middleware raised (the database away while looking up the session, say)."""
    return response(request, sys.exc_info()[1] or RuntimeError("a fault without an exception"))  # type: ignore[arg-type]


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token, mostly from a page that was open for too long."""
    return response(request, _Answered(403))
