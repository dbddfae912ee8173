"""People, programs and their tokens, in and out."""

from rest_framework import serializers

from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text, Whole
from core.names import dns_label
from core.rights import Right
from tenancy.actions import (
    ACCESS_TOKEN,
    SERVICE_ACCOUNT,
    USER,
)
from tenancy.models import username as username_rule

MUST_CHANGE = "the password is good for choosing another one only (POST /api/v1/me/password); roles are without effect"


class UserIn(Shape):
    username = Text(max_length=150, validators=[username_rule])
    password = Text(
        max_length=1024,
        write_only=True,
        allow_null=True,
        default=None,
        style={"input_type": "password"},
        help_text="left out: one is made up, told once in the answer, and has to be changed at the first sign-in",
    )
    must_change_password = Flag(default=False, help_text=MUST_CHANGE)
    organization = Id(allow_null=True, default=None, help_text="whose admins look after it; null: the provider's")
    email = serializers.EmailField(max_length=254, allow_blank=True, default="")
    full_name = Text(max_length=255, allow_blank=True, default="")


class UserEdit(Shape):
    email = serializers.EmailField(max_length=254, allow_blank=True, required=False)
    full_name = Text(max_length=255, allow_blank=True, required=False)
    enabled = Flag(required=False)
    password = Text(max_length=1024, write_only=True, required=False, style={"input_type": "password"})


class UserOut(Shape):
    id = Id()
    username = Text()
    organization = Id(source="organization_id", allow_null=True)
    email = Text()
    full_name = Text()
    enabled = Flag(source="is_active")
    must_change_password = Flag(help_text=MUST_CHANGE)
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(USER, Right.USER_VIEW)


class UserMade(UserOut):
    """A person whose password has just been set."""

    generated_password = Text(
        allow_null=True, help_text="told this once; null: it was given, or this answer is told again"
    )


class PasswordReset(Shape):
    password = Text(
        max_length=1024,
        write_only=True,
        allow_null=True,
        default=None,
        style={"input_type": "password"},
        help_text="left out: one is made up and told once in the answer",
    )
    must_change_password = Flag(default=True, help_text=MUST_CHANGE)


class TokenIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="what it is for; unique among its user's")
    days = Whole(default=90, min_value=1, max_value=366, help_text="after so many days it is no longer good")
    rights = serializers.ListField(
        child=Text(max_length=40),
        allow_null=True,
        default=None,
        max_length=100,
        help_text="at most these; null: all that its user has. At each use it is what the user has then",
    )
    vdcs = serializers.ListField(
        child=Id(), allow_null=True, default=None, max_length=100, help_text="only in these; null: everywhere"
    )
    service_account = Id(allow_null=True, default=None, help_text="whose it is to be; null: one's own")


class TokenOut(Shape):
    id = Id()
    name = Text()
    user = Id(source="user_id")
    username = Text(source="user.username")
    is_service = Flag(source="user.is_service")
    rights = serializers.ListField(child=Text(), allow_null=True)
    places = serializers.ListField(
        child=serializers.ListField(child=Id()), allow_null=True, help_text="[organization, VDC] each; null: everywhere"
    )
    created_at = Moment()
    expires_at = Moment()
    last_used_at = Moment(allow_null=True, help_text="to the minute; null: never yet")
    last_address = Text()
    allowed_actions = AllowedActions(ACCESS_TOKEN, Right.USER_VIEW)  # one sees more than one's own: `programs`


class TokenMade(TokenOut):
    """A token that has just been made."""

    token = Text(allow_null=True, help_text="the secret, told this once; null: this answer is told again")


class ServiceAccountIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="its user name becomes <name>@<organization>")
    organization = Id(allow_null=True, default=None, help_text="whose admins look after it; null: the provider's")
    full_name = Text(max_length=255, allow_blank=True, default="", help_text="what it is for")


class ServiceAccountEdit(Shape):
    full_name = Text(max_length=255, allow_blank=True, required=False)
    enabled = Flag(required=False)


class ServiceAccountOut(Shape):
    id = Id()
    username = Text()
    organization = Id(source="organization_id", allow_null=True)
    full_name = Text()
    enabled = Flag(source="is_active")
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(SERVICE_ACCOUNT, Right.USER_VIEW)
