"""`GET …/timeline` of a row: what happened to it, in sentences."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Flag, Id, Moment, Shape, Text, Whole
from core.api.pages import PARAMETERS, window
from core.api.parameters import Parameter, Parameters, choice, flag
from tenancy.story import Words
from tenancy.timeline import Source, Wish, timeline


class EntryOut(Shape):
    id = Id()
    at = Moment()
    source = serializers.ChoiceField(choices=[str(source) for source in Source])  # type: ignore[assignment]  # a field
    who = Text(help_text="of what a person did: the user name; else empty")
    sentence = Text()
    ok = Flag(help_text="false: refused or failed")
    duration_ms = Whole(
        allow_null=True, help_text="how long it took, where that is known; of a request: until it was accepted"
    )
    count = Whole(help_text="how often it happened, the last time at `last_at`")
    last_at = Moment()
    raw = serializers.DictField(help_text="what the sentence is made of, secrets masked")


class TimelinePage(Shape):
    items = EntryOut(many=True)
    next = Id(allow_null=True, help_text="pass it as `after`; null: no more")


TIMELINE_PARAMETERS: Mapping[str, Parameters] = {
    "timeline": {
        **PARAMETERS,
        "source": Parameter({"type": "string", "enum": [str(source) for source in Source]}, "only what it tells"),
        "errors": Parameter({"type": "boolean"}, "only what was refused or failed"),
    }
}


class HasTimeline:
    """Of a viewset whose rows have a timeline, newest entries first. `words`: what conditions of its rows are called."""

    words: ClassVar[Words] = {}

    def timeline(self: Any, request: Request, pk: UUID) -> Response:
        """What people did to it, what OVIM made of that and what the cluster told, newest first."""
        query = request._request.GET
        after, limit = window(query)
        source = choice(query, "source", [str(item) for item in Source])
        wish = Wish(Source(source) if source else None, flag(query, "errors"), after, limit)
        entries, more = timeline(self.actor, self.row(pk), wish, self.words)
        items: Any = EntryOut(entries, many=True).data
        return Response({"items": items, "next": more})
