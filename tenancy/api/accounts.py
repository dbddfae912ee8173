"""What people's accounts and service accounts have in common: switched off and on, and deleted with an heir."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from core.api import parameters
from core.api.base import ApiViewSet
from core.api.parameters import Parameter
from core.rights import Right
from tenancy.models import User
from tenancy.services import users

HEIR = {"heir": Parameter({"type": "string", "format": "uuid"}, "who gets what the account owns")}


class Accounts(ApiViewSet):
    """A collection of accounts."""

    rights = dict.fromkeys(("disable", "enable", "destroy"), Right.USER_EDIT)
    parameters = {"destroy": HEIR}

    def heir(self) -> User | None:
        given = self.request._request.GET.get("heir")
        pk = None if given is None else parameters.uuid("heir", str(given))
        found: User | None = self.related("heir", User.objects.all(), pk, Right.USER_VIEW)
        return found

    def disable(self, request: Request, pk: UUID) -> Response:
        """No access from now on: sessions end, roles are kept."""
        return self.answer(users.disable_user(actor=self.actor, user=self.row(pk), generations=self.generations()))

    def enable(self, request: Request, pk: UUID) -> Response:
        """Access again, with the roles that were kept."""
        return self.answer(users.enable_user(actor=self.actor, user=self.row(pk), generations=self.generations()))
