"""Identity providers over the API: their rows, their rules, what somebody would get by them; and one's own identities."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from core.api.base import ApiView, ApiViewSet
from core.rights import Right
from tenancy.api.serializers import providers as provider_shapes
from tenancy.models import Organization
from tenancy.oidc.rows import Identity, IdentityProvider
from tenancy.services import arrivals, identity_providers, provider_preview


class IdentityProviderViewSet(ApiViewSet):
    queryset = IdentityProvider.objects.select_related("organization")
    read_right = Right.IDENTITY_PROVIDER_VIEW
    rights = {
        "list": Right.IDENTITY_PROVIDER_VIEW,
        "retrieve": Right.IDENTITY_PROVIDER_VIEW,
        "create": Right.IDENTITY_PROVIDER_EDIT,
        "partial_update": Right.IDENTITY_PROVIDER_EDIT,
        "destroy": Right.IDENTITY_PROVIDER_EDIT,
        "try_claims": Right.IDENTITY_PROVIDER_EDIT,
        "check": Right.IDENTITY_PROVIDER_EDIT,
    }
    shapes = {
        "create": provider_shapes.ProviderIn,
        "partial_update": provider_shapes.ProviderEdit,
        "try_claims": provider_shapes.TryIn,
    }
    out = provider_shapes.ProviderOut
    outs = {"try_claims": provider_shapes.TryOut, "check": provider_shapes.CheckOut}
    filters = {"name": "name", "organization": "organization_id", "enabled": "enabled"}
    search = ("name", "display_name", "issuer")

    def create(self, request: Request) -> Response:
        body = self.body()
        body["organization"] = self.related(
            "organization", Organization.objects.all(), body["organization"], Right.ORGANIZATION_VIEW
        )
        body["rules"] = self._rules(body["rules"])
        return self.created(identity_providers.create_provider(actor=self.actor, **body))

    def partial_update(self, request: Request, pk: UUID) -> Response:
        changes = self.body()
        if "rules" in changes:
            changes["rules"] = self._rules(changes["rules"])
        provider = identity_providers.edit_provider(
            actor=self.actor, provider=self.row(pk), changes=changes, generations=self.generations()
        )
        return self.answer(provider)

    def destroy(self, request: Request, pk: UUID) -> Response:
        identity_providers.delete_provider(actor=self.actor, provider=self.row(pk), generations=self.generations())
        return Response(status=204)

    def try_claims(self, request: Request, pk: UUID) -> Response:
        """What would this person get? Nothing is changed, and nothing of what is pasted is kept."""
        found = provider_preview.preview(actor=self.actor, provider=self.row(pk), pasted=self.body()["pasted"])
        rules = [
            {
                "position": rule.position,
                "value": rule.value,
                "role": rule.role_name,
                "holds": holds,
                "gives_nothing": rule.why,  # type: ignore[attr-defined]  # see `provider_roles.rules_of`
            }
            for rule, holds in found.rules
        ]
        response = Response(provider_shapes.TryOut({**vars(found), "rules": rules}).data)
        response["Cache-Control"] = "no-store"
        return response

    def check(self, request: Request, pk: UUID) -> Response:
        """Ask the provider about itself, now: 503 says what is wrong with it."""
        found = identity_providers.look(actor=self.actor, provider=self.row(pk))
        return Response(provider_shapes.CheckOut(found).data)

    def _rules(self, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        organizations = Organization.objects.all()
        return [
            {
                **{name: rule[name] for name in ("claim", "match", "value", "role")},
                "organization": self.related(
                    f"rules[{n}].organization", organizations, rule["organization"], Right.ORGANIZATION_VIEW
                ),
                "vdc_id": rule["vdc"],
            }
            for n, rule in enumerate(given)
        ]


class MyIdentitiesView(ApiView):
    """Which identities of providers lead into one's own account. They are linked in the portal."""

    rights = {"get": Right.ACCOUNT}
    outs = {"get": provider_shapes.IdentitiesOut}

    def get(self, request: Request) -> Response:
        rows = Identity.objects.filter(user_id=self.actor.account_id).select_related("provider").order_by("pk")
        return Response({"items": provider_shapes.IdentityOut(rows, many=True).data})


class MyIdentityView(ApiView):
    """Take one of them away; not the last way into the account."""

    rights = {"delete": Right.ACCOUNT}
    statuses = {"delete": 204}
    versioned = False

    def delete(self, request: Request, pk: UUID) -> Response:
        arrivals.unlink(actor=self.actor, identity_id=pk)
        return Response(status=204)
