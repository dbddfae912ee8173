"""Reads: who is asking."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from core import sql, tenants
from core.actor import Actor, Grant, Level
from core.rights import Right
from tenancy.access import covers, outranks
from tenancy.devices import device_of
from tenancy.models import Organization, RoleBinding, SecondFactor, Session
from tenancy.roles import GIVEN_TO_TOKENS, WITHIN_A_VDC, granted

_LOOKS_AFTER = frozenset({Right.USER_EDIT})
# His organization wants a second factor of him, and he has none yet.
_WANTED = "coalesce(home.second_factor_required, false)"
_MUST_ENROL = f"""({_WANTED} AND NOT u.is_service AND NOT EXISTS (
  SELECT FROM tenancy_secondfactor f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL))"""
# What the person is bound to, himself or through a group; of that, what has an effect.
_BOUND = """(
    SELECT own.* FROM tenancy_rolebinding own WHERE own.user_id = u.id
    UNION ALL
    SELECT given.* FROM tenancy_membership m JOIN tenancy_rolebinding given ON given.group_id = m.group_id
    WHERE m.user_id = u.id
  )"""
_LASTS = "(b.expires_at IS NULL OR b.expires_at > clock_timestamp())"
_HOLDS = f"(b.organization_id IS NULL OR o.enabled) AND {_LASTS}"
# So does the provider, where it is set, of people without an organization and of whoever has a role over the system.
_WANTED_OF_PROVIDER = f"""(coalesce(home.second_factor_required, true) OR EXISTS (
  SELECT FROM {_BOUND} b WHERE b.organization_id IS NULL AND {_LASTS}))"""
# Everything an Actor is made of, in one round trip, on every request: so that signing out, losing a role and being
# disabled take effect with the next request. By hand, because this is the one query that every request pays.
_ACTOR = f"""
SELECT u.id, u.username, u.organization_id, u.must_change_password, {_MUST_ENROL}, (
  SELECT json_agg(json_build_array(b.role, b.organization_id, b.vdc_id, b.vm_id, c.rights, c.own_only))
  FROM {_BOUND} b LEFT JOIN tenancy_organization o ON o.id = b.organization_id
    LEFT JOIN tenancy_role c ON c.id = b.custom_id
  WHERE {_HOLDS} AND NOT u.must_change_password AND NOT {_MUST_ENROL}
)
FROM tenancy_user u LEFT JOIN tenancy_organization home ON home.id = u.organization_id
"""  # noqa: S608  # put together from constants
# Whoever's organization is disabled is out, unless he has a role elsewhere: that he keeps.
_ELSEWHERE = f"""EXISTS (
  SELECT FROM {_BOUND} b LEFT JOIN tenancy_organization o ON o.id = b.organization_id WHERE {_HOLDS})"""
_ALIVE = f"u.is_active AND (u.organization_id IS NULL OR home.enabled OR {_ELSEWHERE})"
# Unless his provider says that he gave one there: of this session only.
_GIVEN = """EXISTS (
  SELECT FROM tenancy_providersession p WHERE p.session_id = s.id AND p.multi_factor)"""
_BY_SESSION = _ACTOR.replace(_MUST_ENROL, f"({_MUST_ENROL} AND NOT {_GIVEN})")
# At the end: whose view the session has at the moment, if it is another one's.
_PREVIEW = "CASE WHEN s.preview_until > clock_timestamp() THEN s.preview_of END"
_OF_SESSION = f"""{_BY_SESSION.replace("FROM tenancy_user u", f", {_PREVIEW} FROM tenancy_user u", 1)}
JOIN tenancy_session s ON s.user_id = u.id WHERE s.id = %s AND s.revoked_at IS NULL AND s.expires_at > now()
  AND (s.idle_after IS NULL OR s.seen_at > clock_timestamp() - s.idle_after) AND {_ALIVE}"""
# Whether its last use was noted a moment ago, too, at the end.
_SEEN = "s.seen_at > now() - interval '1 minute'"
_OF_SESSION_SEEN = _OF_SESSION.replace("FROM tenancy_user u", f", {_SEEN} FROM tenancy_user u", 1)
# The same of many sessions, each row led by its session.
_OF_SESSIONS = _OF_SESSION.replace("SELECT", "SELECT s.id,", 1).replace("s.id = %s", "s.id = ANY(%s)")
# The same by an access token; what it was made for, and whether its last use was noted a moment ago, at the end.
_NOTED = "t.last_used_at > now() - interval '1 minute'"
_OF_TOKEN = f"""{_ACTOR.replace("FROM tenancy_user u", f", t.id, t.rights, t.places::json, {_NOTED} FROM tenancy_user u", 1)}
JOIN tenancy_accesstoken t ON t.user_id = u.id WHERE t.{{}} AND t.expires_at > now() AND {_ALIVE}"""
_OF_USER = f"{_ACTOR} WHERE u.id = %s AND {_ALIVE}"
# Sessions that have not ended, neither by somebody nor by time nor for not being used: as `_OF_SESSION` has it.
ALIVE = Q(revoked_at=None, expires_at__gt=Now()) & (Q(idle_after=None) | Q(seen_at__gt=Now() - F("idle_after")))


def actor_of_session(session_id: UUID, *, address: str = "", request_id: str = "") -> Actor | None:
    """Who holds this session; None if it has ended, or the person or his organization is disabled."""
    found = _asked(_OF_SESSION, session_id)
    return _viewing(_made(found[0][:-1], session_id, address, request_id), found[0][-1]) if found else None


def seen_in_session(session_id: UUID, *, address: str, request_id: str) -> tuple[Actor, bool] | None:
    """As `actor_of_session`, and whether the session's last use was noted a moment ago."""
    found = _asked(_OF_SESSION_SEEN, session_id)
    if not found:
        return None
    *user, preview, noted = found[0]
    return _viewing(_made(user, session_id, address, request_id), preview), bool(noted)


def actors_of_sessions(session_ids: Collection[UUID]) -> dict[UUID, Actor]:
    """Who holds each of these sessions, in one question; those that have ended are left out."""
    rows = _asked(_OF_SESSIONS, list(session_ids))
    return {pk: _viewing(_made(user, pk, "", ""), preview) for pk, *user, preview in rows}


def _viewing(actor: Actor, preview_of: UUID | None) -> Actor:
    """Who acts in the session: its own person, or, to look only, the one whose view he has for the moment.

    Asked again at each request, so that who has risen above him meanwhile, or is gone, is not seen with.
    """
    other = (
        None if preview_of is None else actor_of_user(preview_of, address=actor.address, request_id=actor.request_id)
    )
    if other is None or not may_see_as(actor, other):
        return actor
    return replace(other, session_id=actor.session_id, previewed_by=actor.name, previewer_id=actor.user_id)


def may_see_as(actor: Actor, other: Actor) -> bool:
    """Whoever looks after the other's account, and has every right that he has."""
    over = actor.user_id != other.user_id and actor.token_id is None and not actor.previewed_by
    return over and covers(actor, _LOOKS_AFTER, other.organization_id, None) and outranks(actor, other.grants)


def actor_of_token(digest: str, *, address: str = "", request_id: str = "") -> tuple[Actor, bool] | None:
    """Whose access token this is, and whether its last use was noted a moment ago. None: no such token, or it ended."""
    found = _asked(_OF_TOKEN.format("digest = %s"), digest)
    return (_by_token(found[0], address, request_id), bool(found[0][-1])) if found else None


def actors_behind(ids: Collection[UUID]) -> dict[UUID, Actor]:
    """As `actors_of_sessions`, where some of the ids are those of access tokens."""
    found = actors_of_sessions(ids)
    left = [pk for pk in ids if pk not in found]
    rows = _asked(_OF_TOKEN.format("id = ANY(%s)"), left) if left else ()
    return found | {row[6]: _by_token(row, "", "") for row in rows}


def _by_token(row: Sequence[Any], address: str, request_id: str) -> Actor:
    """What the user may do now, of that only what the token was made for."""
    *user, token_id, rights, places, _noted = row
    actor = _made(user, token_id, address, request_id)
    return replace(actor, token_id=token_id, grants=narrowed(actor.grants, rights, places))


def narrowed(
    grants: Sequence[Grant], rights: Collection[str] | None, places: Collection[Sequence[str]] | None
) -> tuple[Grant, ...]:
    """What is left of grants within some rights and VDCs, each [organization, VDC] by id. None: all of them."""
    given = GIVEN_TO_TOKENS if rights is None else frozenset(right for right in GIVEN_TO_TOKENS if right in rights)
    if places is not None:
        given &= WITHIN_A_VDC
    found: list[Grant] = []
    for grant in grants:
        left = replace(grant, rights=grant.rights & given)
        if not left.rights:
            continue
        if places is None:
            found.append(left)
            continue
        pairs = [(UUID(organization), UUID(vdc)) for organization, vdc in places]
        if grant.level is Level.VM:  # it is within its VDC already: no more of that is given
            found += [left] if grant.vdc_id in {vdc for _, vdc in pairs} else []
            continue
        found += [
            replace(left, level=Level.VDC, organization_id=organization, vdc_id=vdc)
            for organization, vdc in pairs
            if _reaches(grant, organization, vdc)
        ]
    return tuple(found)


def _reaches(grant: Grant, organization: UUID, vdc: UUID) -> bool:
    if grant.level is Level.VDC:
        return grant.vdc_id == vdc
    return grant.level is Level.SYSTEM or grant.organization_id == organization


def actor_of_user(user_id: UUID, *, address: str = "", request_id: str = "") -> Actor | None:
    """The person outside any session: at sign-in, and for commands that act in his name."""
    return _actor(_OF_USER, user_id, None, address, request_id)


def actors_of_users(user_ids: Sequence[UUID]) -> dict[UUID, Actor]:
    """The same of many, in one question; who can do nothing now is left out."""
    found = _asked(_OF_USER.replace("u.id = %s", "u.id = ANY(%s)"), list(user_ids)) if user_ids else ()
    return {row[0]: _made(row, None, "", "") for row in found}


def _actor(query: str, pk: UUID, session_id: UUID | None, address: str, request_id: str) -> Actor | None:
    found = _asked(query, pk)
    return _made(found[0], session_id, address, request_id) if found else None


def _asked(query: str, key: object) -> list[sql.Row]:
    """Who somebody is has to be known before it can be said what he sees."""
    if settings.OVIM_REQUIRE_SECOND_FACTOR:
        query = query.replace(_WANTED, _WANTED_OF_PROVIDER)
    with tenants.everything():
        return sql.run(query, [key])


def _made(row: Sequence[Any], session_id: UUID | None, address: str, request_id: str) -> Actor:
    user_id, name, organization_id, must_change_password, must_enrol, bindings = row
    return Actor(
        user_id=user_id,
        name=name,
        grants=tuple(_grant(*binding) for binding in bindings or ()),
        session_id=session_id,
        address=address,
        request_id=request_id,
        organization_id=organization_id,
        must_change_password=must_change_password,
        must_enrol=must_enrol,
    )


def _grant(role: str, *where_and_what: Any) -> Grant:
    """Of a row of `_ACTOR`'s: role, organization, VDC, VM, rights, own_only."""
    *place, rights, own_only = where_and_what
    return granted(role, (*place,), None if rights is None else tuple(rights), bool(own_only))


def bindings_of(user_id: UUID) -> list[RoleBinding]:
    """What gives somebody rights, directly or through a group, and has not ended: also where nobody else sees it."""
    now = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    his = Q(user_id=user_id) | Q(group__memberships__user_id=user_id)
    found = RoleBinding.objects.filter(now, his).select_related("custom", "group", "organization")
    with tenants.everything():
        return list(found.order_by("pk"))


@dataclass(frozen=True)
class OwnSession:
    id: UUID
    current: bool
    device: str
    user_agent: str
    address: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    ends_unused_at: datetime | None


MOST_SESSIONS = 200


def own_sessions(actor: Actor) -> list[OwnSession]:
    """One's own that have not ended, the latest first."""
    alive = Session.objects.filter(ALIVE, user_id=actor.account_id)
    return [
        OwnSession(
            row.pk, row.pk == actor.session_id, device_of(row.user_agent), row.user_agent, row.address,
            row.created_at, row.seen_at, row.expires_at, row.seen_at + row.idle_after if row.idle_after else None,
        )
        for row in alive.order_by("-pk")[:MOST_SESSIONS]
    ]  # fmt: skip


def who_demands_second_factor(actor: Actor) -> str:
    """Who requires one of him, by name; empty: nobody."""
    home = None
    if actor.organization_id is not None:
        home = Organization.objects.filter(second_factor_required=True, pk=actor.organization_id).first()
    if home is not None:
        return home.name
    if not settings.OVIM_REQUIRE_SECOND_FACTOR or actor.user_id is None:
        return ""
    over = any(binding.organization_id is None for binding in bindings_of(actor.user_id))
    return "The provider" if actor.organization_id is None or over else ""


def own_second_factor(actor: Actor) -> Mapping[str, Any]:
    """How one's second factor stands."""
    row = SecondFactor.objects.filter(user_id=actor.account_id, confirmed_at__isnull=False).first()
    demanded_by = who_demands_second_factor(actor)
    return {
        "enabled": row is not None,
        "demanded": bool(demanded_by),
        "demanded_by": demanded_by,
        "since": row.confirmed_at if row else None,
        "recovery_codes_left": len(row.recovery) if row else 0,
    }


def summary(actor: Actor) -> Mapping[str, Any]:
    """What a client shows of the person who is signed in."""
    return {
        "id": actor.user_id,
        "username": actor.name,
        "organization": actor.organization_id,
        "must_change_password": actor.must_change_password,
        "must_enrol_second_factor": actor.must_enrol,
        "token": actor.token_id,
        "previewed_by": actor.previewed_by,
        "rights": sorted(str(right) for right in frozenset[str]().union(*(grant.rights for grant in actor.grants))),
        "grants": [
            {
                "level": str(grant.level),
                "organization": grant.organization_id,
                "vdc": grant.vdc_id,
                "vm": grant.vm_id,
                "own_only": grant.own_only,
                "rights": sorted(str(right) for right in grant.rights),
            }
            for grant in actor.grants
        ],
    }
