"""Signing in, sessions and second factors, in and out."""

from rest_framework import serializers

from core.api.fields import Flag, Id, Moment, Shape, Text, Whole


class LoginIn(Shape):
    username = Text(max_length=150)
    password = Text(max_length=1024, style={"input_type": "password"})

    code = Text(
        max_length=32, allow_blank=True, default="", help_text="of the second factor, or a recovery code; if asked for"
    )


class RefreshIn(Shape):
    refresh = Text(max_length=4096)


class PasswordAsk(Shape):
    account = Text(max_length=254, help_text="user name or e-mail address")


class PasswordByLink(Shape):
    token = Text(max_length=100, help_text="of the link in the mail")
    new_password = Text(max_length=1024, write_only=True, style={"input_type": "password"})


class GrantOut(Shape):
    level = Text(help_text="system, organization, vdc or vm")
    organization = Id(allow_null=True)
    vdc = Id(allow_null=True)
    vm = Id(allow_null=True)
    own_only = Flag(help_text="of what has an owner, only the person's own")
    rights = serializers.ListField(child=Text())


class MeOut(Shape):
    """Who is signed in, and what he may do where."""

    id = Id()
    username = Text()
    organization = Id(allow_null=True)
    must_change_password = Flag(help_text="nothing else is possible before POST /api/v1/me/password")
    must_enrol_second_factor = Flag(help_text="nothing else is possible before: see /api/v1/me/second-factor")
    token = Id(allow_null=True, help_text="the access token that the request came with; null: a session's")
    previewed_by = Text(help_text="who really looks, in a preview as this person; else empty")
    rights = serializers.ListField(child=Text(), help_text="held at one place at least")
    grants = GrantOut(many=True)


class TokensOut(Shape):
    access = Text(help_text="goes into the Authorization header, as: Bearer <access>")
    refresh = Text(help_text="good for one refresh")
    expires_in = Whole(help_text="seconds until `access` is no longer good")
    user = MeOut()


class AuthInfoOut(Shape):
    methods = serializers.ListField(child=Text(), help_text="ways to sign in: password; device (RFC 8628)")
    password_reset = Flag(help_text="whether a new password can be asked for by mail")
    live_url = Text(allow_null=True, help_text="where GET /live/v1/stream is; null: at this address")


class PasswordChange(Shape):
    current_password = Text(max_length=1024, write_only=True, style={"input_type": "password"})
    new_password = Text(max_length=1024, write_only=True, style={"input_type": "password"})


class SessionOut(Shape):
    """A sign-in of one's own that has not ended."""

    id = Id()
    current = Flag(help_text="the one that this request came with")
    device = Text(help_text="as it said of itself: which browser, or the ovim command")
    user_agent = Text()
    address = Text(help_text="from which it signed in")
    created_at = Moment()
    seen_at = Moment(help_text="last use, to a minute")
    expires_at = Moment(help_text="however much it is used")
    ends_unused_at = Moment(allow_null=True, help_text="unless it is used before; null: at `expires_at` alone")


class SessionsOut(Shape):
    items = SessionOut(many=True)


class EndedOut(Shape):
    ended = Whole(help_text="so many sessions")


class CodeIn(Shape):
    code = Text(max_length=32, help_text="of the authenticator app; where it is lost, a recovery code")


class SecondFactorOut(Shape):
    enabled = Flag()
    demanded = Flag(help_text="by one's organization")
    since = Moment(allow_null=True)
    recovery_codes_left = Whole()


class SecondFactorBegun(Shape):
    secret = Text(help_text="for the authenticator app, in base32")
    uri = Text(help_text="the same as an otpauth: address, for a QR code")


class RecoveryCodes(Shape):
    recovery_codes = serializers.ListField(child=Text(), help_text="each is good once; told only now")
