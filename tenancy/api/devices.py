"""Signing a command in by a browser (RFC 8628). Its errors are problems as all others, with the RFC's word as `code`."""

from typing import Any
from urllib.parse import urlencode

from django.core.validators import RegexValidator
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.base import ApiView
from core.api.fields import Shape, Text, Whole
from core.enforce import PUBLIC
from tenancy.api.serializers import sign_in as sign_in_shapes
from tenancy.api.views import issued
from tenancy.services import device_sign_ins

HOST = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", "A machine's name has letters, digits and . _ - in it.", code="host"
)


class DeviceIn(Shape):
    host = Text(max_length=64, validators=[HOST], help_text="the machine's name, shown to who confirms it")


class DeviceOut(Shape):
    """What to poll with, and what to show."""

    device_code = Text(help_text="for auth/device/token; good once")
    user_code = Text(help_text="to be shown, and typed in the browser")
    verification_uri = Text(help_text="where it is typed")
    verification_uri_complete = Text(help_text="the same with the code filled in")
    expires_in = Whole(help_text="seconds")
    interval = Whole(help_text="seconds to leave between two questions")


class DeviceTokenIn(Shape):
    device_code = Text(max_length=device_sign_ins.LONGEST)


class DeviceView(ApiView):
    """Begin to sign a command in: somebody who is signed in at the portal confirms the code that it shows."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": DeviceIn}
    outs = {"post": DeviceOut}

    def post(self, request: Request) -> Response:
        agent = request.headers.get("User-Agent", "")
        row, secret, short = device_sign_ins.ask(visitor=self.visitor, user_agent=agent, **self.body())
        page = device_sign_ins.page()
        told: dict[str, Any] = {
            "device_code": secret,
            "user_code": short,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'code': short})}",
            "expires_in": int((row.expires_at - timezone.now()).total_seconds()),
            "interval": row.pause,
        }
        return Response(DeviceOut(told).data, headers={"Cache-Control": "no-store"})


class DeviceTokenView(ApiView):
    """Ask for the tokens, no sooner than each `interval` seconds. Until they are there: 400 with `code`
    authorization_pending, slow_down, access_denied, expired_token or invalid_grant."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": DeviceTokenIn}
    outs = {"post": sign_in_shapes.TokensOut}

    def post(self, request: Request) -> Response:
        session = device_sign_ins.exchange(visitor=self.visitor, secret=self.body()["device_code"])
        return Response(issued(session), headers={"Cache-Control": "no-store"})
