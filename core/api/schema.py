"""The OpenAPI document, read off what the views declare anyway: shapes, rights, filters. Views need no decorators."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from core.api.fields import Id, Shape, Text, Whole
from core.api.pages import DEFAULT, MOST
from core.enforce import PUBLIC

STATUS = {"create": 201, "destroy": 204}


class ProblemItem(Shape):
    field = Text()
    rule = Text()
    message = Text()


class Problem(Shape):
    """RFC 9457. `code` is stable; `errors` names each field and the rule it breaks."""

    type = Text()
    title = Text()
    status = Whole()
    detail = Text()
    code = Text()
    request_id = Text()
    errors = ProblemItem(many=True, required=False)  # type: ignore[assignment]  # a declared field, not the property


@cache
def page_of(shape: type[serializers.BaseSerializer[Any]]) -> serializers.BaseSerializer[Any]:
    name = shape.__name__.removesuffix("Out") + "Page"
    page: serializers.BaseSerializer[Any] = inline_serializer(
        name, {"items": shape(many=True), "next": Id(allow_null=True, help_text="pass it as `after`; null: no more")}
    )
    return page


class Schema(AutoSchema):
    """Asks the view: `shapes`, `outs`, `out`, `filters`, `search`, `statuses`."""

    def _action(self) -> str:
        return getattr(self.view, "action", None) or self.method.lower()

    def get_request_serializer(self) -> Any:
        return getattr(self.view, "shapes", {}).get(self._action())

    def get_response_serializers(self) -> Any:
        action = self._action()
        outs: Mapping[str, Any] = getattr(self.view, "outs", {})
        shape = outs[action] if action in outs else getattr(self.view, "out", None)
        if shape is not None and action == "list":
            shape = page_of(shape)
        status = getattr(self.view, "statuses", {}).get(action, STATUS.get(action, 200))
        return {
            str(status): None if status == 204 else shape,
            ("default", "application/problem+json"): Problem,
        }

    def get_auth(self) -> list[Any]:
        rights = getattr(self.view, "rights", {})
        return [] if rights.get(self._action()) == PUBLIC else super().get_auth()

    def get_override_parameters(self) -> list[Any]:
        if self._action() == "list":
            return self._of_list()
        if self.method in ("PATCH", "DELETE") and getattr(self.view, "versioned", False):
            return [
                OpenApiParameter(
                    "If-Match", str, OpenApiParameter.HEADER, description="the ETag you read; 412 if it has changed"
                )
            ]
        return []

    def _of_list(self) -> list[Any]:
        own = [
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT},
                description="how many rows",
            ),
            OpenApiParameter("after", OpenApiTypes.UUID, description="`next` of the page before"),
        ]
        search = getattr(self.view, "search", ())
        if search:
            own.append(OpenApiParameter("q", str, description="part of: " + ", ".join(search)))
        return own + [OpenApiParameter(name, str) for name in getattr(self.view, "filters", {})]

    def _is_list_view(self, serializer: Any = None) -> bool:
        return self._action() == "list"

    def get_tags(self) -> list[str]:
        return [self._tokenize_path()[0]]
