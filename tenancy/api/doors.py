"""For who is not signed in and has a link, or wants one."""

from rest_framework.request import Request
from rest_framework.response import Response

from core.api.base import ApiView
from core.enforce import PUBLIC
from tenancy.api import serializers
from tenancy.services import resets


class PasswordResetView(ApiView):
    """Ask for a mail with a link for a new password. The answer is the same whether or not there is such an account."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": serializers.PasswordAsk}
    statuses = {"post": 202}

    def post(self, request: Request) -> Response:
        resets.ask_counted(visitor=self.visitor, **self.body())
        return Response(status=202)


class PasswordByLinkView(ApiView):
    """Choose the new password, by the token of the link. All sessions of the account end."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": serializers.PasswordByLink}
    statuses = {"post": 204}

    def post(self, request: Request) -> Response:
        body = self.body()
        resets.use(visitor=self.visitor, token=body["token"], password=body["new_password"])
        return Response(status=204)
