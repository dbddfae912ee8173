"""Signing in over the API, and the resources of tenancy: shape in, service, shape out."""

import base64
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from clusters import drift
from clusters.api.drifts import DRIFT_PARAMETERS, DriftOut, HasDrift
from clusters.drift import Drift
from core import access, retention
from core.api import once, pages, parameters
from core.api.base import ApiView, ApiViewSet, etag
from core.api.parameters import Parameter
from core.enforce import PUBLIC
from core.errors import Invalid, Unauthenticated
from core.mail import outbox
from core.models import AuditEntry
from core.rights import Right
from tenancy import export, selectors
from tenancy.api import tokens
from tenancy.api.accounts import Accounts
from tenancy.api.serializers import organizations as organization_shapes
from tenancy.api.serializers import people as people_shapes
from tenancy.api.serializers import sign_in as sign_in_shapes
from tenancy.api.timelines import TIMELINE_PARAMETERS, HasTimeline, TimelinePage
from tenancy.models import Organization, Session, User
from tenancy.services import exports, lifecycle, logos, organizations, passwords, second_factor, sessions, users


def issued(session: Session) -> dict[str, Any]:
    """What a client gets that has been let in."""
    actor = selectors.actor_of_session(session.pk)
    if actor is None:  # disabled between the two statements
        raise Unauthenticated(sessions.ENDED)
    return tokens.issue(session) | {"user": selectors.summary(actor)}


class LoginView(ApiView):
    """Sign in by user name and password."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": sign_in_shapes.LoginIn}
    outs = {"post": sign_in_shapes.TokensOut}

    def post(self, request: Request) -> Response:
        session = sessions.sign_in(
            visitor=self.visitor,
            way=sessions.Way.API,
            user_agent=request.headers.get("User-Agent", ""),
            **self.body(),
        )
        return Response(issued(session))


class RefreshView(ApiView):
    """Trade the refresh token for new tokens. Each is good once: using one twice ends the session."""

    authentication_classes = ()
    rights = {"post": PUBLIC}
    shapes = {"post": sign_in_shapes.RefreshIn}
    outs = {"post": sign_in_shapes.TokensOut}

    def post(self, request: Request) -> Response:
        claims = tokens.read(self.body()["refresh"], tokens.Kind.REFRESH)
        session = sessions.refresh(visitor=self.visitor, session_id=claims.session_id, refresh_id=claims.token_id)
        return Response(issued(session))


class LogoutView(ApiView):
    """End this session: its tokens are no good from now on."""

    rights = {"post": Right.ACCOUNT}
    statuses = {"post": 204}

    def post(self, request: Request) -> Response:
        sessions.sign_out(actor=self.actor)
        return Response(status=204)


class AuthInfoView(ApiView):
    """How one can sign in here, and where the live stream is."""

    authentication_classes = ()
    rights = {"get": PUBLIC}
    outs = {"get": sign_in_shapes.AuthInfoOut}

    def get(self, request: Request) -> Response:
        here = (settings.OVIM_PUBLIC_URL, "")
        live = settings.OVIM_LIVE_URL.rstrip("/")
        told = {
            "methods": ["password", "device"],
            "password_reset": outbox.possible(),
            "live_url": None if live in here else live,
        }
        return Response(told)


class MeView(ApiView):
    """Who is signed in."""

    rights = {"get": Right.SELF}
    outs = {"get": sign_in_shapes.MeOut}

    def get(self, request: Request) -> Response:
        return Response(selectors.summary(self.actor))


class MyPasswordView(ApiView):
    """Choose another password of one's own. All other sessions of oneself end."""

    rights = {"post": Right.ACCOUNT}
    shapes = {"post": sign_in_shapes.PasswordChange}
    statuses = {"post": 204}
    versioned = False

    def _carry_out(self, act: Callable[[], Response]) -> Response:
        """First the proof, outside the transaction of a key or a trial: a wrong attempt stays counted.

        But what was done is told again before: the password that proved it then is another one now.
        """
        done = once.answered(self.actor, self.request)
        if done is not None:
            return done
        users.prove_password(actor=self.actor, password=self.body()["current_password"])
        return super()._carry_out(act)

    def post(self, request: Request) -> Response:
        users.choose_password(actor=self.actor, password=self.body()["new_password"])
        return Response(status=204)


class OrganizationViewSet(HasTimeline, HasDrift, ApiViewSet):
    queryset = Organization.objects.all()
    read_right = Right.ORGANIZATION_VIEW
    rights = {
        "list": Right.ORGANIZATION_VIEW,
        "retrieve": Right.ORGANIZATION_VIEW,
        "timeline": Right.ORGANIZATION_VIEW,
        "drift": Right.ORGANIZATION_VIEW,
        "create": Right.ORGANIZATION_CREATE,
        "partial_update": Right.ORGANIZATION_EDIT,
        "destroy": Right.ORGANIZATION_DELETE,
        "disable": Right.ORGANIZATION_DELETE,
        "enable": Right.ORGANIZATION_DELETE,
        "undo_deletion": Right.ORGANIZATION_DELETE,
        "set_logo": Right.ORGANIZATION_EDIT,
        "remove_logo": Right.ORGANIZATION_EDIT,
    }
    shapes = {
        "create": organization_shapes.OrganizationIn,
        "partial_update": organization_shapes.OrganizationEdit,
        "disable": organization_shapes.OrganizationDisable,
        "set_logo": organization_shapes.LogoIn,
    }
    out = organization_shapes.OrganizationOut
    outs = {"timeline": TimelinePage, "drift": DriftOut}
    parameters = {
        **TIMELINE_PARAMETERS,
        **DRIFT_PARAMETERS,
        "destroy": {
            "cascade": Parameter({"type": "boolean"}, "with all that is in it, once the time to undo it is over"),
            "confirm": Parameter({"type": "string", "maxLength": 63}, "its name, where it cascades"),
        },
    }
    statuses = {"destroy": 202}
    filters = {"name": "name", "enabled": "enabled"}
    search = ("name", "display_name")

    def create(self, request: Request) -> Response:
        return self.created(organizations.create_organization(actor=self.actor, **self.body()))

    def drift_of(self, row: Organization, live: bool) -> Drift:
        whole = access.allows(self.actor, Right.BINDING_EDIT, row)  # who is bound there
        return drift.of_placements("organization", row.pk, live=live, along=whole)

    def partial_update(self, request: Request, pk: UUID) -> Response:
        organization = organizations.edit_organization(
            actor=self.actor, organization=self.row(pk), changes=self.body(), generations=self.generations()
        )
        return self.answer(organization)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Refused while it has VDCs or catalogs. `?cascade=true&confirm=<name>`: they go with it, after a time of grace."""
        query = request._request.GET
        cascade, confirm = parameters.flag(query, "cascade"), str(query.get("confirm", ""))
        actor, generations = self.actor, self.generations()
        organization: Organization = self.row(pk)

        def delete() -> Organization:
            if cascade:
                lifecycle.schedule_deletion(
                    actor=actor, organization=organization, confirm=confirm, generations=generations
                )
            else:
                organizations.delete_organization(actor=actor, organization=organization, generations=generations)
            organization.refresh_from_db()
            return organization

        return self.accepted(delete)

    def disable(self, request: Request, pk: UUID) -> Response:
        """Nobody signs in to it any more, and no session has any effect in it. Roles elsewhere are kept."""
        vms = self.body()["vms"]
        return self.answer(
            lifecycle.disable(actor=self.actor, organization=self.row(pk), vms=vms, generations=self.generations())
        )

    def enable(self, request: Request, pk: UUID) -> Response:
        """Its people are in again. What was stopped with it stays so until somebody starts it."""
        return self.answer(
            lifecycle.enable(actor=self.actor, organization=self.row(pk), generations=self.generations())
        )

    def undo_deletion(self, request: Request, pk: UUID) -> Response:
        """It stays, enabled if it was so before."""
        return self.answer(
            lifecycle.undo_deletion(actor=self.actor, organization=self.row(pk), generations=self.generations())
        )

    def set_logo(self, request: Request, pk: UUID) -> Response:
        """Another logo, told by its bytes."""
        try:
            data = base64.b64decode(self.body()["picture"], validate=True)
        except ValueError:  # of base64 itself, or of text that is no ASCII
            raise Invalid.field("picture", "base64", "picture must be base64.") from None
        return self._with_logo(pk, data)

    def remove_logo(self, request: Request, pk: UUID) -> Response:
        """No logo: the portal's own is shown."""
        return self._with_logo(pk, None)

    def _with_logo(self, pk: UUID, data: bytes | None) -> Response:
        return self.answer(
            logos.set_logo(actor=self.actor, organization=self.row(pk), data=data, generations=self.generations())
        )


class UserViewSet(Accounts):
    queryset = User.objects.all()
    read_right = Right.USER_VIEW
    rights = {
        "list": Right.USER_VIEW,
        "retrieve": Right.USER_VIEW,
        "create": Right.USER_EDIT,
        "partial_update": Right.USER_EDIT,
        "reset_password": Right.USER_EDIT,
        "reset_second_factor": Right.USER_EDIT,
        "disable": Right.USER_EDIT,
        "enable": Right.USER_EDIT,
        "destroy": Right.USER_EDIT,
    }
    shapes = {
        "create": people_shapes.UserIn,
        "partial_update": people_shapes.UserEdit,
        "reset_password": people_shapes.PasswordReset,
    }
    out = people_shapes.UserOut
    outs = {"create": people_shapes.UserMade, "reset_password": people_shapes.UserMade}
    filters = {"username": "username", "organization": "organization_id", "enabled": "is_active"}
    search = ("username", "full_name", "email")

    def narrowed(self, rows: QuerySet[Any], right: Right) -> QuerySet[Any]:
        """People: service accounts have an address of their own."""
        return super().narrowed(rows, right).filter(is_service=False)

    def create(self, request: Request) -> Response:
        body = self.body()
        body["organization"] = self.related(
            "organization", Organization.objects.all(), body["organization"], Right.ORGANIZATION_VIEW
        )
        made_up = passwords.generated() if body["password"] is None else None
        if made_up is not None:
            body |= {"password": made_up, "must_change_password": True}
        return self._told_once(users.create_user(actor=self.actor, **body), made_up, 201)

    def partial_update(self, request: Request, pk: UUID) -> Response:
        user = users.edit_user(actor=self.actor, user=self.row(pk), changes=self.body(), generations=self.generations())
        return self.answer(user)

    def reset_password(self, request: Request, pk: UUID) -> Response:
        """Set another password, or have one made up. The person's sessions end."""
        body = self.body()
        made_up = passwords.generated() if body["password"] is None else None
        user = users.set_password(
            actor=self.actor,
            user=self.row(pk),
            password=made_up or body["password"],
            must_change_password=made_up is not None or body["must_change_password"],
            generations=self.generations(),
        )
        return self._told_once(user, made_up, 200)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Gone for good: sessions and roles too. What the person owns goes to `heir`; without one it is refused."""
        user = self.row(pk)
        users.delete_user(actor=self.actor, user=user, heir=self.heir(), generations=self.generations())
        return Response(status=204)

    def reset_second_factor(self, request: Request, pk: UUID) -> Response:
        """Take a lost device's factor away. The person's sessions end."""
        user = self.row(pk)
        second_factor.reset(actor=self.actor, user=user)
        return self.answer(user)

    def _told_once(self, user: User, made_up: str | None, status: int) -> Response:
        """With the password that was made up. What is kept of the answer, for who sends it again, is without it."""
        row = orjson.loads(bytes(self.line(user, None)))
        response = Response(row | {"generated_password": made_up}, status=status, headers=etag(user))
        response.kept = row | {"generated_password": None}  # type: ignore[attr-defined]  # read by core.api.once
        response["Cache-Control"] = "no-store"
        return response


class AuditEntryViewSet(ApiViewSet):
    """What was done and refused, newest first."""

    queryset = AuditEntry.objects.all()
    read_right = Right.AUDIT_VIEW
    rights = {"list": Right.AUDIT_VIEW}
    out = organization_shapes.AuditEntryOut
    versioned = False
    newest_first = True
    filters = {
        "action": "action",
        "actor": "actor_id",
        "object_kind": "object_kind",
        "object_id": "object_id",
        "organization": "organization_id",
        "outcome": "outcome",
        "since": "at__gte",
        "until": "at__lt",
    }
    search = ("object_name", "actor_name")


class _Anything(BaseRenderer):
    """The format is a parameter: whatever the Accept header says, that is what comes."""

    media_type = "*/*"
    format = "file"


class AuditExportView(ApiView):
    """All that the filters find, newest first, as a file: CSV, or a JSON object on each line. The export is audited."""

    rights = {"get": Right.AUDIT_VIEW}
    renderer_classes = (_Anything,)
    kinds = {"get": tuple(kind.partition(";")[0] for kind in export.FORMATS.values())}
    parameters = {
        "get": {
            "format": Parameter({"type": "string", "enum": sorted(export.FORMATS), "default": "csv"}, "of the file"),
            **pages.filter_parameters(
                AuditEntryViewSet.queryset.model, AuditEntryViewSet.filters, AuditEntryViewSet.search
            ),
        }
    }

    def get(self, request: Request) -> StreamingHttpResponse:
        query = request._request.GET
        kind = parameters.choice(query, "format", export.FORMATS) or "csv"
        seen = access.visible(self.actor, AuditEntry.objects.order_by(), Right.AUDIT_VIEW)
        rows, _ = pages.narrow(seen, query, AuditEntryViewSet.filters, AuditEntryViewSet.search)
        filters = {name: str(query[name]) for name in query if name != "format"}
        organization = self._organization(filters.get("organization"))
        exports.begin_export(actor=self.actor, organization_id=organization, kind=kind, filters=filters)
        return export.answer(rows, kind)

    def _organization(self, text: str | None) -> UUID | None:
        """The organization that is asked for, if there is such a one and the actor sees it: it is told."""
        if text is None:
            return None
        seen = access.visible(self.actor, Organization.objects.all(), Right.ORGANIZATION_VIEW).filter(pk=text).first()
        return None if seen is None else seen.pk


class AuditRetentionView(ApiView):
    """How long an organization's audit entries are kept. Its admins see that; the provider's people set it."""

    rights = {"get": Right.AUDIT_VIEW, "put": Right.AUDIT_VIEW}
    shapes = {"put": organization_shapes.RetentionIn}
    outs = {"get": organization_shapes.RetentionOut, "put": organization_shapes.RetentionOut}
    versioned = False

    def get(self, request: Request, pk: UUID) -> Response:
        return self._answer(self._organization(pk))

    def put(self, request: Request, pk: UUID) -> Response:
        organization = self._organization(pk)
        access.require_system(self.actor, Right.AUDIT_VIEW)  # who is audited does not shorten what is kept of it
        retention.keep(actor=self.actor, chain=organization.pk, **self.body())
        return self._answer(organization)

    def _organization(self, pk: UUID) -> Organization:
        return access.get(self.actor, Organization.objects.all(), pk, Right.AUDIT_VIEW)

    def _answer(self, organization: Organization) -> Response:
        return Response(retention.policy(organization.pk))
