"""Access tokens and service accounts: what programs use the API with."""

from typing import Any
from uuid import UUID

import orjson
from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from core import access
from core.api.base import ApiViewSet
from core.rights import Right
from tenancy.api.accounts import Accounts
from tenancy.api.serializers import people as people_shapes
from tenancy.models import AccessToken, Organization, User
from tenancy.services import access_tokens, service_accounts, users


class TokenViewSet(ApiViewSet):
    """One's own, and those of the service accounts that one sees. Not to be had with an access token."""

    queryset = AccessToken.objects.select_related("user")
    read_right = Right.ACCOUNT
    rights = dict.fromkeys(("list", "retrieve", "create", "destroy"), Right.ACCOUNT)
    shapes = {"create": people_shapes.TokenIn}
    out = people_shapes.TokenOut
    outs = {"create": people_shapes.TokenMade}
    versioned = False
    filters = {"name": "name", "user": "user_id"}
    search = ("name",)

    def narrowed(self, rows: QuerySet[Any], right: Right) -> QuerySet[Any]:
        where = Q(user_id=self.actor.account_id)
        services = access.reach(self.actor, AccessToken, Right.USER_VIEW)
        return rows.filter(where if services is None else where | (services & Q(user__is_service=True)))

    def create(self, request: Request) -> Response:
        body = self.body()
        account = body.pop("service_account")
        accounts = User.objects.filter(is_service=True)
        user = self.related("service_account", accounts, account, Right.USER_VIEW)
        user = user or User.objects.get(pk=self.actor.account_id)
        token, text = access_tokens.create_token(actor=self.actor, user=user, **body)
        row = orjson.loads(bytes(self.line(token, None)))
        response = Response(row | {"token": text}, status=201)
        response.kept = row | {"token": None}  # type: ignore[attr-defined]  # read by core.api.once
        response["Cache-Control"] = "no-store"
        return response

    def destroy(self, request: Request, pk: UUID) -> Response:
        access_tokens.delete_token(actor=self.actor, token=self.row(pk))
        return Response(status=204)


class ServiceAccountViewSet(Accounts):
    """Users that are no persons. Their roles are role bindings, as everybody's."""

    queryset = User.objects.all()
    read_right = Right.USER_VIEW
    rights = {
        "list": Right.USER_VIEW,
        "retrieve": Right.USER_VIEW,
        "create": Right.USER_EDIT,
        "partial_update": Right.USER_EDIT,
        "disable": Right.USER_EDIT,
        "enable": Right.USER_EDIT,
        "destroy": Right.USER_EDIT,
    }
    shapes = {"create": people_shapes.ServiceAccountIn, "partial_update": people_shapes.ServiceAccountEdit}
    out = people_shapes.ServiceAccountOut
    filters = {"username": "username", "organization": "organization_id", "enabled": "is_active"}
    search = ("username", "full_name")

    def narrowed(self, rows: QuerySet[Any], right: Right) -> QuerySet[Any]:
        return super().narrowed(rows, right).filter(is_service=True)

    def create(self, request: Request) -> Response:
        body = self.body()
        body["organization"] = self.related(
            "organization", Organization.objects.all(), body["organization"], Right.ORGANIZATION_VIEW
        )
        return self.created(service_accounts.create_service_account(actor=self.actor, **body))

    def partial_update(self, request: Request, pk: UUID) -> Response:
        account = users.edit_user(
            actor=self.actor, user=self.row(pk), changes=self.body(), generations=self.generations()
        )
        return self.answer(account)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Gone for good, with its tokens and roles. What it owns goes to `heir`; without one it is refused."""
        account = self.row(pk)
        users.delete_user(actor=self.actor, user=account, heir=self.heir(), generations=self.generations())
        return Response(status=204)
