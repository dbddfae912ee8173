"""The base of every API view: default deny, rows scoped by right, input validated by a shape, keyset pages.

`rights` maps each action to the right it needs; a class without it, or an action it does not name, fails closed.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from core import access
from core.actor import Actor
from core.enforce import PUBLIC
from core.errors import Forbidden, Invalid, Stale, Unauthenticated
from core.rights import Right


class ApiView(APIView):
    """One resource or verb. Subclasses name `rights`: HTTP method (or viewset action) → right, or PUBLIC."""

    rights: ClassVar[Mapping[str, Right | str]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__module__.startswith("core.") and not getattr(cls, "rights", None):
            raise TypeError(f"{cls.__module__}.{cls.__name__} declares no rights: nothing would be refused")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        action = getattr(self, "action", None) or (request.method or "").lower()
        right = self.rights.get(action)
        if right is None:
            raise MethodNotAllowed(request.method or "")
        if right == PUBLIC:
            return
        if getattr(request, "auth", None) is None:
            raise Unauthenticated("Sign in first: no valid bearer token came with the request.")
        if not self.actor.holds(Right(right)):
            raise Forbidden(Right(right), "this resource")

    @property
    def actor(self) -> Actor:
        """Who asks. Authentication puts the Actor where DRF keeps `auth`."""
        return cast(Actor, self.request.auth)

    def validated(self, shape: type[BaseSerializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """The body in the given shape, or Invalid naming each field and rule. Unknown fields are refused."""
        body = self.request.data
        if not isinstance(body, Mapping):
            raise Invalid.field("", "type", "The body must be a JSON object.")
        serializer = shape(data=body, partial=partial, context={"actor": self.actor if self.request.auth else None})
        unknown = sorted(set(body) - set(serializer.fields))  # type: ignore[attr-defined]
        if unknown:
            raise Invalid.field(unknown[0], "unknown_field", f"There is no field {unknown[0]!r} here.")
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def check_generation(self, row: Any) -> None:
        """If-Match: refuse with Stale unless the header names the row's generation (or `*`)."""
        wanted = self.request.headers.get("If-Match")
        if wanted is None or wanted.strip() == "*":
            return
        tags = {tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")}
        if str(row.generation) not in tags:
            raise Stale(
                f"You have generation {wanted}, the current one is {row.generation}: read it again.",
                current=row.generation,
            )


class ApiViewSet(ViewSetMixin, ApiView):
    """A collection. `read_right` scopes every lookup; verbs check their own right in the service."""

    queryset: ClassVar[QuerySet[Any]]
    read_right: ClassVar[Right]

    def rows(self) -> QuerySet[Any]:
        return access.visible(self.actor, self.queryset.all(), self.read_right)

    def row(self, pk: UUID | str, rows: QuerySet[Any] | None = None) -> Model:
        return access.get(self.actor, self.queryset.all() if rows is None else rows, pk, self.read_right)


def etag(row: Any) -> dict[str, str]:
    """The headers that let a client send If-Match later."""
    return {"ETag": f'"{row.generation}"'}
