"""Shape of a cluster. Its credential is never shown."""

from rest_framework import serializers

from core.api.fields import Flag, Id, Moment, Shape, Text, Whole


class ClusterOut(Shape):
    id = Id()
    name = Text()
    display_name = Text()
    server = Text()
    is_default = Flag()
    capabilities = serializers.JSONField()
    failing_since = Moment(allow_null=True, help_text="since when it can't be reached")
    last_error = Text()
    watched_at = Moment(allow_null=True)
    generation = Whole()
    created_at = Moment()
