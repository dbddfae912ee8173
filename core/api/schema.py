"""The OpenAPI document, read off what the views declare anyway: shapes, rights, filters. Views need no decorators."""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS

from core.api import once
from core.api.base import ApiView
from core.api.fields import AllowedActions, Flag, Id, Shape, Text, Whole
from core.enforce import PUBLIC

STATUS = {"create": 201, "destroy": 204}


class ProblemItem(Shape):
    field = Text()
    rule = Text()
    message = Text()


class ProblemQuota(Shape):
    resource = Text()
    level = Text()
    scope = Text()
    ledger = Text()
    limit = Whole()
    used = Whole()
    requested = Whole()
    short_by = Whole()
    fits = Whole()
    who_can_change = Text()


class Problem(Shape):
    """RFC 9457. `code` is stable; `errors` names each field and the rule it breaks."""

    type = Text()
    title = Text()
    status = Whole()
    detail = Text()
    code = Text()
    request_id = Text()
    errors = ProblemItem(many=True, required=False)  # type: ignore[assignment]  # a declared field, not the property
    quota = ProblemQuota(many=True, required=False, help_text="each limit that refuses, innermost first")
    current = Whole(required=False, allow_null=True, help_text="of a 412: the generation as it is now")
    right = Text(required=False, help_text="of a 403: the right that it takes")
    retry_after = Whole(required=False, help_text="of a 429: seconds")


class BeforeAfter(Shape):
    before = Whole(allow_null=True)
    after = Whole(allow_null=True)


class QuotaEffect(Shape):
    """One resource of one scope whose limit, reservation or use would be another."""

    level = serializers.ChoiceField(["vdc", "organization"])
    scope = Text(help_text="its name")
    resource = Text()
    limit = BeforeAfter(help_text="null: not limited")
    reserved = BeforeAfter(help_text="of organizations: the sum of their VDCs' limits")
    used = BeforeAfter()


class FieldChange(Shape):
    path = Text()
    old = serializers.JSONField(help_text="null: not there")
    new = serializers.JSONField(help_text="null: not there")


class ObjectChange(Shape):
    """What would be done to one object in the cluster. Secrets are masked."""

    action = serializers.ChoiceField(["create", "update", "delete", "refused", "lost"])
    kind = Text()
    namespace = Text()
    name = Text()
    why = Text()
    differences = FieldChange(many=True)


class Verdict(Shape):
    """What the cluster says to a create or update that it does not carry out."""

    kind = Text()
    namespace = Text()
    name = Text()
    accepted = Flag(allow_null=True, help_text="null: it can't say yet")
    message = Text()


class Plan(Shape):
    """What a write would do; it has not been done. An id of something new is another one when it is."""

    dry_run = serializers.ChoiceField(["true", "cluster"])
    status = Whole(help_text="what the write would answer with")
    row = serializers.JSONField(help_text="what it would answer, null where that is nothing")
    quota = QuotaEffect(many=True)
    changes = ObjectChange(many=True)
    restart_needed = Flag(help_text="something changes that a running VM takes over only when it is started anew")
    left_off = Whole(help_text="rows of a cascade that the plan does not go into")
    cluster = Verdict(many=True, allow_null=True, help_text="with dry_run=cluster")


class _Asked:
    """All that a view looks at of a request to say which parameters it takes."""

    def __init__(self, method: str) -> None:
        self.method, self.auth = method, None


def _header(name: str, about: str, pattern: str, example: str) -> OpenApiParameter:
    schema = {"type": "string", "pattern": pattern, "examples": [example]}
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=about)


@cache
def page_of(shape: type[serializers.BaseSerializer[Any]]) -> serializers.BaseSerializer[Any]:
    name = shape.__name__.removesuffix("Out") + "Page"
    page: serializers.BaseSerializer[Any] = inline_serializer(
        name, {"items": shape(many=True), "next": Id(allow_null=True, help_text="pass it as `after`; null: no more")}
    )
    return page


class AllowedActionsSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Every verb by name, null or a text."""

    target_class = AllowedActions

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        names = list(self.target.actions)
        return {
            "type": "object",
            "properties": {name: {"type": ["string", "null"]} for name in names},
            "required": names,
            "additionalProperties": False,
        }


def _named(shape: Any) -> str:
    return str(shape.__name__).removesuffix("Out")


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
        if status == 204:
            shape = None
        kinds: Mapping[str, Any] = getattr(self.view, "kinds", {})
        if action in kinds:
            files: dict[Any, Any] = {(str(status), kind): OpenApiTypes.STR for kind in kinds[action]}
            return files | {("default", "application/problem+json"): Problem}
        found: dict[Any, Any] = {str(status): shape, ("default", "application/problem+json"): Problem}
        if self._writes() and (status != 200 or shape is None):
            found["200"] = Plan
        elif self._writes():
            found["200"] = PolymorphicProxySerializer(f"{_named(shape)}OrPlan", [cast(Any, shape), Plan], None)
        return found

    def _writes(self) -> bool:
        return self.method not in SAFE_METHODS and bool(self.get_auth())

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it, not DRF
        """What the view says of itself; nothing where it only inherits what its base says to programmers."""
        action = getattr(self.view, self._action(), None)
        own = vars(type(self.view)).get("__doc__") or ""
        method = (
            getattr(action, "__doc__", None) if getattr(action, "__module__", "").partition(".")[0] != "core" else ""
        )
        return inspect.cleandoc(method or own)

    def get_auth(self) -> list[Any]:
        rights = getattr(self.view, "rights", {})
        return [] if rights.get(self._action()) == PUBLIC else super().get_auth()

    def get_override_parameters(self) -> list[Any]:
        view = cast(ApiView, self.view)
        view.request = view.request or cast(Any, _Asked(self.method))
        found: list[Any] = [
            OpenApiParameter(name, dict(item.schema), description=item.about, explode=False, required=item.required)
            for name, item in view.query_parameters().items()
        ]
        if self.method in SAFE_METHODS:
            return found
        if "{id}" in self.path and getattr(self.view, "versioned", False):
            about = 'the ETag you read ("3"), or several, or *; 412 if it has changed since'
            found.append(OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description=about))
        if self.method == "POST" and self.get_auth():
            found.append(
                _header(
                    once.HEADER,
                    "any text of your own: what is sent twice is done once",
                    once.PATTERN,
                    "8e03978e-40d5-43dd-bc93",
                )
            )
        return found

    def _is_list_view(self, serializer: Any = None) -> bool:
        return serializer is None and self._action() == "list"  # a page is an object, whose name says what it lists

    def get_tags(self) -> list[str]:
        return [self._tokenize_path()[0]]
