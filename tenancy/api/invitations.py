"""Invitations as an organization's admins see them, and joining with the account that one has."""

from typing import Any
from uuid import UUID

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.base import ApiView, ApiViewSet, etag
from core.rights import Right
from tenancy.api.serializers import invitations as invitation_shapes
from tenancy.models import Invitation, Organization
from tenancy.services import invitations, roles


class InvitationViewSet(ApiViewSet):
    queryset = Invitation.objects.all()
    read_right = Right.USER_VIEW
    rights = {
        "list": Right.USER_VIEW,
        "retrieve": Right.USER_VIEW,
        "create": Right.USER_EDIT,
        "resend": Right.USER_EDIT,
        "destroy": Right.USER_EDIT,
    }
    shapes = {"create": invitation_shapes.InvitationIn, "resend": invitation_shapes.InvitationAgain}
    out = invitation_shapes.InvitationOut
    outs = {"create": invitation_shapes.InvitationMade, "resend": invitation_shapes.InvitationMade}
    filters = {"organization": "organization_id", "email": "email"}
    search = ("email",)

    def create(self, request: Request) -> Response:
        body = self.body()
        organization = self.related(
            "organization", Organization.objects.all(), body["organization"], Right.ORGANIZATION_VIEW
        )
        made, link = invitations.invite(
            actor=self.actor,
            organization=organization,
            email=body["email"],
            role=roles.named(body["role"], organization),
            vdc_id=body["vdc"],
            days=body["days"],
        )
        return self._told_once(made, link, 201)

    def resend(self, request: Request, pk: UUID) -> Response:
        """Another link by another mail; the earlier ones are good for nothing."""
        sent, link = invitations.resend(
            actor=self.actor, invitation=self.row(pk), generations=self.generations(), **self.body()
        )
        return self._told_once(sent, link, 200)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Withdrawn: it stays to be seen, its link is good for nothing."""
        invitations.withdraw(actor=self.actor, invitation=self.row(pk), generations=self.generations())
        return Response(status=204)

    def _told_once(self, invitation: Invitation, link: str | None, status: int) -> Response:
        """With the link, where no mail brings it. What is kept of the answer, for who sends it again, is without."""
        row: dict[str, Any] = orjson.loads(bytes(self.line(invitation, None)))
        response = Response(row | {"link": link}, status=status, headers=etag(invitation))
        response.kept = row | {"link": None}  # type: ignore[attr-defined]  # read by core.api.once
        response["Cache-Control"] = "no-store"
        return response


class JoinView(ApiView):
    """Accept an invitation with one's own account: one then belongs to that organization, too."""

    rights = {"post": Right.ACCOUNT}
    shapes = {"post": invitation_shapes.LinkIn}
    outs = {"post": invitation_shapes.Joined}
    versioned = False

    def post(self, request: Request) -> Response:
        user = invitations.accept_as(actor=self.actor, **self.body())
        return Response(invitation_shapes.Joined({"id": user.pk, "username": user.username}).data)
