"""Asking about access: why one may do something or not; and seeing what somebody else sees."""

from rest_framework.request import Request
from rest_framework.response import Response

from core.api import parameters
from core.api.base import ApiView
from core.api.parameters import Parameter
from core.errors import BadParameter
from core.rights import Right
from tenancy import explain
from tenancy.api.serializers import roles as role_shapes
from tenancy.models import User
from tenancy.services import previews


class ExplainView(ApiView):
    """Whether somebody may do something, by which roles, or why not and who could give it to him.

    About oneself, or about people whom one may see. What one may not see is not there.
    """

    rights = {"get": Right.SELF}
    outs = {"get": role_shapes.ExplainOut}
    parameters = {
        "get": {
            "action": Parameter(
                {"type": "string"}, "a right, such as vm.edit, or what `allowed_actions` calls it: edit", required=True
            ),
            "object": Parameter(
                {"type": "string"}, "vm/<id>, vdc/<id>, organization/<id>, …, or system", required=True
            ),
            "user": Parameter({"type": "string", "format": "uuid"}, "about whom; left out: about oneself"),
        }
    }

    def get(self, request: Request) -> Response:
        query = request._request.GET
        for name in ("action", "object"):
            if not query.get(name):
                raise BadParameter.field(name, "required", f"Name the {name}.")
        user = query.get("user")
        pk = None if user is None else parameters.uuid("user", str(user))
        asked = explain.question(self.actor, str(query["action"]), str(query["object"]), pk)
        return Response(role_shapes.ExplainOut(explain.explain(self.actor, asked)).data)


class PreviewView(ApiView):
    """See what somebody else sees, in this session, for half an hour: to look only. Every write is refused meanwhile."""

    rights = {"post": Right.USER_EDIT, "delete": Right.SELF}
    shapes = {"post": role_shapes.PreviewIn}
    outs = {"post": role_shapes.PreviewOut}
    statuses = {"post": 200, "delete": 204}
    versioned = False
    ends_preview = True

    def post(self, request: Request) -> Response:
        user = self.related("user", User.objects.all(), self.body()["user"], Right.USER_VIEW)
        session = previews.begin(actor=self.actor, user=user)
        told = {"user": user.pk, "username": user.username, "until": session.preview_until}
        return Response(role_shapes.PreviewOut(told).data)

    def delete(self, request: Request) -> Response:
        """The session shows what its own person sees."""
        previews.end(actor=self.actor)
        return Response(status=204)
