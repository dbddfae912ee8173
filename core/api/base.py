"""The base of every API view: default deny, rows scoped by right, input validated by a shape, keyset pages.

`rights` maps each action to the right it needs; a class without it, or an action it does not name, fails closed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast
from uuid import UUID

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from core import access, support
from core.actor import Actor
from core.api import limits, once, pages, parameters, preconditions
from core.api.columns import Columns
from core.api.json import Raw
from core.api.parameters import Parameters
from core.api.rehearse import rehearse
from core.enforce import PUBLIC
from core.errors import Forbidden, Invalid, NotFound, Previewing, Stale, Unauthenticated
from core.rights import Right
from core.rows import Generations

ShapeClass = type[BaseSerializer[Any]]
_parameters: dict[tuple[type, str], Parameters] = {}


class ApiView(APIView):
    """One resource or verb. Subclasses name `rights`: HTTP method (or viewset action) → right, or PUBLIC.

    `shapes`: action → the shape of its body; `outs`: action → the shape of its answer; `statuses`: action → status,
    where it is not 200 (create: 201, destroy: 204). `kinds`: action → media types, of what is answered as a file.
    `versioned`: rows have a generation, so an ETag. `parameters`: action → what it takes in the query. The OpenAPI
    document is read off these.
    """

    rights: ClassVar[Mapping[str, Right | str]]
    shapes: ClassVar[Mapping[str, ShapeClass]] = {}
    outs: ClassVar[Mapping[str, ShapeClass]] = {}
    statuses: ClassVar[Mapping[str, int]] = {}
    kinds: ClassVar[Mapping[str, Sequence[str]]] = {}
    versioned: ClassVar[bool] = True
    ends_preview: ClassVar[bool] = False  # its writes are for who looks as another person, too
    parameters: ClassVar[Mapping[str, Parameters]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__module__.startswith("core.") and not getattr(cls, "rights", None):
            raise TypeError(f"{cls.__module__}.{cls.__name__} declares no rights: nothing would be refused")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        try:
            super().initial(request, *args, **kwargs)
        except Unauthenticated:
            self._count()
            raise
        self._count()
        right = self.rights.get(self.verb)
        if right is None:
            raise MethodNotAllowed(request.method or "")
        if right == PUBLIC:
            parameters.check(request._request.GET, self.query_parameters())
            return
        if getattr(request, "auth", None) is None:
            raise Unauthenticated("Sign in first: no valid bearer token came with the request.")
        if self.actor.previewed_by and request.method not in SAFE_METHODS and not self.ends_preview:
            raise Previewing(self.actor.name)
        if not self.actor.holds(Right(right)):
            raise Forbidden(Right(right), "this resource")
        query = request._request.GET
        parameters.check(query, self.query_parameters())
        support.chose(self.actor, query.get("organization"), query.get("vdc"))

    def query_parameters(self) -> Parameters:
        """What the action at hand takes in the query: its own, and `dry_run` where it writes."""
        own = self.parameters.get(self.verb, {})
        if self.request.method in SAFE_METHODS or self.rights.get(self.verb) == PUBLIC:
            return own
        return {**own, "dry_run": parameters.DRY_RUN}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As DRF's, with `_carry_out` around the handler."""
        self.args, self.kwargs = args, kwargs
        self.headers = self.default_response_headers
        self.request = asked = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(asked, *args, **kwargs)
            handler = getattr(self, (asked.method or "").lower(), self.http_method_not_allowed)
            response = self._carry_out(lambda: handler(asked, *args, **kwargs))
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(asked, response, *args, **kwargs)
        return self.response

    def _carry_out(self, act: Callable[[], Response]) -> Response:
        """A write under its conditions: what If-Match allows, not twice under one Idempotency-Key, or only tried out."""
        if self.request.method in SAFE_METHODS:
            return act()
        if self.generations() is not None and not self.versioned and "pk" in self.kwargs:
            raise Stale("This never changes and has no ETag, so no If-Match but * can hold.", current=None)
        if self.rights.get(self.verb) == PUBLIC:
            return act()
        key = once.key_of(self.request)
        mode = parameters.dry_run(self.request._request.GET)
        if mode is not None:
            self.request._request.dry_run = True  # type: ignore[attr-defined]  # read where refusals are audited
            self.ahead()
            return rehearse(act, mode)
        if type(self).ahead is not ApiView.ahead and (key is None or not once.is_known(self.actor, self.request, key)):
            self.ahead()
        return act() if key is None else once.carry_out(self.actor, self.request, key, act)

    def ahead(self) -> None:
        """What a write has to ask of the world outside: done ahead of the write, while no transaction is open."""

    def _count(self) -> None:
        """One request more of this user, or of this address; Throttled if it is one too many."""
        actor: Actor | None = getattr(self.request, "_auth", None)
        plain: Any = self.request._request
        count = limits.of_address(plain.address) if actor is None else limits.of_user(actor.in_person().user_id)
        if count is not None:
            self.headers |= count.headers()
            count.check()

    @property
    def verb(self) -> str:
        """The action: of a viewset as routed, else the method. HEAD is GET."""
        method = (self.request.method or "").lower()
        return getattr(self, "action", None) or ("get" if method == "head" else method)

    @property
    def actor(self) -> Actor:
        """Who asks. Authentication puts the Actor where DRF keeps `auth`."""
        return cast(Actor, self.request.auth)

    @property
    def visitor(self) -> Actor:
        """Whoever it is, signed in or not: from where and under which request, without any right."""
        request: HttpRequest = self.request._request
        return Actor(
            user_id=None,
            name="",
            address=getattr(request, "address", ""),
            request_id=getattr(request, "request_id", ""),
        )

    def body(self) -> dict[str, Any]:
        """The body in the action's shape, or Invalid naming each field and rule."""
        return self.validated(self.shapes[self.verb])

    def validated(self, shape: ShapeClass, *, partial: bool = False) -> dict[str, Any]:
        """The body in the given shape, or Invalid naming each field and rule. Unknown fields are refused."""
        body = self.request.data
        if not isinstance(body, Mapping):
            raise Invalid.field("", "type", "The body must be a JSON object.")
        serializer = shape(data=body, partial=partial, context={"actor": self.request.auth})
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def generations(self) -> Generations:
        """What If-Match allows, for the service to compare under the row's lock. None: anything."""
        return preconditions.allowed(self.request.headers.get("If-Match"))

    def related(self, field: str, rows: QuerySet[Any], pk: UUID | None, right: Right) -> Any:
        """The row that a body's field names, among those the actor may see; None stays None."""
        if pk is None:
            return None
        row = access.visible(self.actor, rows, right).filter(pk=pk).first()
        if row is None:
            raise Invalid.field(field, "not_found", f"There is no such {rows.model._meta.verbose_name}.")
        return row


class ApiViewSet(ViewSetMixin, ApiView):
    """A collection. `read_right` scopes every lookup; verbs check their own right in the service.

    `out` is the shape of a row; lists are rendered by PostgreSQL from it (`core.api.columns`). `filters`: query
    parameter → lookup; `search`: the columns that `?q=` looks into.
    """

    queryset: ClassVar[QuerySet[Any]]
    read_right: ClassVar[Right]
    out: ClassVar[ShapeClass]
    filters: ClassVar[Mapping[str, str]] = {}
    search: ClassVar[Sequence[str]] = ()
    newest_first: ClassVar[bool] = False
    columns: ClassVar[Columns]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "queryset") and hasattr(cls, "out"):
            cls.columns = Columns(cls.queryset, cast(Any, cls.out))

    def rows(self, right: Right | None = None) -> QuerySet[Any]:
        return self.narrowed(self.queryset.all(), right or self.read_right)

    def narrowed(self, rows: QuerySet[Any], right: Right) -> QuerySet[Any]:
        """Of these rows those of this collection that the actor has the right on."""
        return access.visible(self.actor, rows, right)

    def row(self, pk: UUID | str, rows: QuerySet[Any] | None = None) -> Any:
        """The row if the actor may see it; else NotFound. Whether he may change it is the service's question."""
        found = self.narrowed(self.queryset.all() if rows is None else rows, self.read_right).filter(pk=pk).first()
        if found is None:
            raise NotFound(f"No such {self.queryset.model._meta.verbose_name}.")
        access.opened(self.actor, found)
        return found

    def query_parameters(self) -> Parameters:
        key = type(self), self.verb
        if key not in _parameters:  # the same for every request: made once
            _parameters[key] = self._query_parameters()
        return _parameters[key]

    def _query_parameters(self) -> Parameters:
        found = dict(super().query_parameters())
        if self.verb == "list":
            found |= pages.PARAMETERS
            found |= pages.filter_parameters(self.queryset.model, self.filters, self.search)
        if self.verb in ("list", "retrieve"):
            found["fields"] = parameters.sparse(self.shown.names)
        return found

    @property
    def shown(self) -> Columns:
        """The columns of the action's answer."""
        return self.columns

    def fields(self) -> frozenset[str] | None:
        """What `?fields=` leaves of them; None: all."""
        return parameters.fields(self.request._request.GET, self.shown.names)

    def list(self, request: Request) -> Response:
        plain = self.queryset.model._default_manager.order_by()
        rows, limit = pages.narrow(
            self.narrowed(plain, self.read_right),
            request.query_params,
            self.filters,
            self.search,
            newest_first=self.newest_first,
        )
        how = {"actor": self.actor, "fields": self.fields(), "newest_first": self.newest_first}
        return Response(pages.page(rows, limit, self.columns, **how))

    def retrieve(self, request: Request, pk: UUID) -> Response:
        return self.answer(self.row(pk))

    def answer(self, row: Model, status: int = 200) -> Response:
        """The row as it now stands in the database, with its ETag."""
        line = self.line(row, self.fields())
        return Response(line, status=status, headers=etag(row) if self.versioned else None)

    def accepted(self, act: Callable[[], Model]) -> Response:
        """202, with the row as the act leaves it. In its transaction: a moment later a worker may have dropped the row."""
        with transaction.atomic():
            return self.answer(act(), status=202)

    def line(self, row: Model, fields: frozenset[str] | None) -> Raw:
        """The row as JSON, for whoever asks."""
        return self.shown.one(row.pk, actor=self.actor, fields=fields)

    def created(self, row: Model) -> Response:
        return self.answer(row, status=201)


def etag(row: Any) -> dict[str, str]:
    """The headers that let a client send If-Match later."""
    return {"ETag": f'"{row.generation}"'}
