"""One's own account beside the password: sessions and the second factor. Nothing of it by an access token."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from core.api import once
from core.api.base import ApiView
from core.rights import Right
from tenancy import selectors
from tenancy.api.serializers import sign_in as sign_in_shapes
from tenancy.services import second_factor, sessions


def _told_once(data: dict[str, Any], kept: dict[str, Any]) -> Response:
    response = Response(data)
    response.kept = kept  # type: ignore[attr-defined]  # read by core.api.once
    response["Cache-Control"] = "no-store"
    return response


class MySessionsView(ApiView):
    """One's own sessions that have not ended, the latest first."""

    rights = {"get": Right.ACCOUNT}
    outs = {"get": sign_in_shapes.SessionsOut}

    def get(self, request: Request) -> Response:
        found = selectors.own_sessions(self.actor)
        return Response({"items": sign_in_shapes.SessionOut(found, many=True).data})


class MySessionView(ApiView):
    """End one of one's own sessions."""

    rights = {"delete": Right.ACCOUNT}
    statuses = {"delete": 204}
    versioned = False

    def delete(self, request: Request, pk: UUID) -> Response:
        sessions.end_own(actor=self.actor, session_id=pk)
        return Response(status=204)


class EndOthersView(ApiView):
    """End all of one's own sessions but this one."""

    rights = {"post": Right.ACCOUNT}
    outs = {"post": sign_in_shapes.EndedOut}
    versioned = False

    def post(self, request: Request) -> Response:
        return Response({"ended": sessions.end_others(actor=self.actor)})


class MySecondFactorView(ApiView):
    """One's own second factor: how it stands, and the secret for a new one."""

    rights = {"get": Right.ACCOUNT, "post": Right.ACCOUNT}
    outs = {"get": sign_in_shapes.SecondFactorOut, "post": sign_in_shapes.SecondFactorBegun}
    versioned = False

    def get(self, request: Request) -> Response:
        return Response(sign_in_shapes.SecondFactorOut(selectors.own_second_factor(self.actor)).data)

    def post(self, request: Request) -> Response:
        """Begin: nothing is asked for at sign-in until a first code is given to `confirm`."""
        secret = second_factor.begin(actor=self.actor)
        return _told_once(
            {"secret": secret, "uri": second_factor.uri(self.actor, secret)}, {"secret": None, "uri": None}
        )


class ConfirmSecondFactorView(ApiView):
    """The first code of the app: from now on one is asked for. One's other sessions end."""

    rights = {"post": Right.ACCOUNT}
    shapes = {"post": sign_in_shapes.CodeIn}
    outs = {"post": sign_in_shapes.RecoveryCodes}
    versioned = False

    def post(self, request: Request) -> Response:
        codes = second_factor.confirm(actor=self.actor, code=self.body()["code"])
        return _told_once({"recovery_codes": codes}, {"recovery_codes": []})


class _Proven(ApiView):
    """What takes a code. The proof is outside the transaction of a key or a trial: a wrong one stays counted."""

    rights: ClassVar[dict[str, Right | str]] = {"post": Right.ACCOUNT}
    shapes = {"post": sign_in_shapes.CodeIn}
    versioned = False

    def _carry_out(self, act: Callable[[], Response]) -> Response:
        done = once.answered(self.actor, self.request)
        if done is not None:
            return done
        second_factor.prove(actor=self.actor, code=self.body()["code"])
        return super()._carry_out(act)


class RecoveryCodesView(_Proven):
    """Other recovery codes: the old ones are good for nothing."""

    rights = {"post": Right.ACCOUNT}
    outs = {"post": sign_in_shapes.RecoveryCodes}

    def post(self, request: Request) -> Response:
        return _told_once({"recovery_codes": second_factor.renew_recovery(actor=self.actor)}, {"recovery_codes": []})


class RemoveSecondFactorView(_Proven):
    """Sign in by password alone from now on."""

    rights = {"post": Right.ACCOUNT}
    statuses = {"post": 204}

    def post(self, request: Request) -> Response:
        second_factor.remove(actor=self.actor)
        return Response(status=204)
