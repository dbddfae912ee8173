"""Fields of input and output shapes: strict about JSON types, so that every value reads back as it was given."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from core.actions import Actions
from core.rights import Right


class Text(serializers.CharField):
    """A JSON string, untouched. DRF's own takes numbers and trims blanks."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "max_length": 1000} | kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON integer. `"5"`, `5.0` and `true` are none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": 2**31 - 1} | kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """JSON true or false; `"yes"` and 1 are neither."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Id(serializers.UUIDField):
    """A UUID as a JSON string."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """A time, always UTC with microseconds: `2026-01-31T12:00:00.000000Z`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"format": "%Y-%m-%dT%H:%M:%S.%fZ"} | kwargs)


class AllowedActions(serializers.Field[Any, Any, Any, Any]):
    """Verb → null if whoever asks may do it to this row now, else the reason. PostgreSQL answers (`core.api.columns`)."""

    def __init__(self, actions: Actions, read_right: Right) -> None:
        self.actions, self.read_right = actions, read_right
        super().__init__(read_only=True, help_text="what you may do to it now: null, or why not")

    def to_representation(self, value: Any) -> Any:
        raise NotImplementedError("what is allowed depends on who asks: see core.api.columns")


class Shape(serializers.Serializer[Any]):
    """The base of all shapes. Unknown fields are refused at every depth, by name."""

    def to_internal_value(self, data: Any) -> Any:
        """What is unknown and what is wrong are told together: nobody mends a body error by error."""
        names = data if isinstance(data, dict) else ()
        unknown = {
            str(name): [ErrorDetail("There is no such field here.", "unknown_field")]
            for name in names
            if name not in self.fields
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not unknown:
                raise
            raise serializers.ValidationError({**error.detail, **unknown}) from None  # type: ignore[dict-item]
        if unknown:
            raise serializers.ValidationError(unknown)
        return value
