"""For who is not signed in and has a link, or wants one."""

from rest_framework.request import Request
from rest_framework.response import Response

from core.api.base import ApiView
from core.enforce import PUBLIC
from tenancy.api.serializers import invitations as invitation_shapes
from tenancy.api.serializers import sign_in as sign_in_shapes
from tenancy.services import invitations, resets


class PasswordResetView(ApiView):
    """Ask for a mail with a link for a new password. The answer is the same whether or not there is such an account."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": sign_in_shapes.PasswordAsk}
    statuses = {"post": 202}

    def post(self, request: Request) -> Response:
        resets.ask_counted(visitor=self.visitor, **self.body())
        return Response(status=202)


class PasswordByLinkView(ApiView):
    """Choose the new password, by the token of the link. All sessions of the account end."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": sign_in_shapes.PasswordByLink}
    statuses = {"post": 204}

    def post(self, request: Request) -> Response:
        body = self.body()
        resets.use(visitor=self.visitor, token=body["token"], password=body["new_password"])
        return Response(status=204)


class InvitationView(ApiView):
    """What an invitation says, by the token of its link. Looking does not use it."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": invitation_shapes.LinkIn}
    outs = {"post": invitation_shapes.InvitationSeen}

    def post(self, request: Request) -> Response:
        found = invitations.look(**self.body())
        told = {
            "organization": found.organization.name,
            "display_name": found.organization.display_name,
            "email": found.email,
            "role": found.role_name,
            "role_name": found.role_label,
            "vdc": invitations.vdc_name(found),
            "inviter": found.inviter_name,
            "expires_at": found.expires_at,
        }
        return Response(invitation_shapes.InvitationSeen(told).data)


class AcceptView(ApiView):
    """Accept with a new account. Who has one already signs in and sends the token to `/api/v1/me/invitation`."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": invitation_shapes.InvitationAccept}
    outs = {"post": invitation_shapes.Joined}
    statuses = {"post": 201}

    def post(self, request: Request) -> Response:
        user = invitations.accept_new(visitor=self.visitor, **self.body())
        return Response(invitation_shapes.Joined({"id": user.pk, "username": user.username}).data, status=201)
