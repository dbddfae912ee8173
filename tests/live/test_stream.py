"""The event stream: each hears of his own and of nothing else, and knows when he may have missed something."""

import asyncio
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from django.test import Client
from django.utils import timezone

from clusters import live as changes
from ovim_site.live import viewer
from ovim_site.live.inbox import Change
from ovim_site.live.viewer import Places, Viewer
from tenancy.models import RoleBinding
from tenancy.selectors import actor_of_session, actors_of_sessions
from tests.cast import PASSWORD, actor_of, make_person, session_of
from tests.domain import a_vdc, a_vm, an_organization
from tests.live.conftest import Listener, LiveServer
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow


def tell(vm: VirtualMachine, *, deleted: bool = False) -> None:
    changes.publish([changes.Change("vm", vm.pk, vm.generation, vm.phase, vm.organization_id, deleted)])


def test_each_hears_only_of_what_he_may_see(listen):
    ours = a_vm(a_vdc(), "ours", actor=_actor("bob"))
    other = a_vm(a_vdc("prod"), "other")
    theirs = a_vm(a_vdc("main", organization=an_organization("globex")), "theirs")
    alice, bob, charlie = listen("alice"), listen("bob"), listen("charlie")
    for vm in (ours, other, theirs):
        tell(vm)
    alice.until(lambda: len(alice.ids()) == 2)
    charlie.until(charlie.ids)
    bob.until(bob.ids)
    time.sleep(0.5)  # what must not come would have come by now
    assert set(alice.ids()) == {str(ours.pk), str(other.pk)}
    assert bob.ids() == [str(ours.pk)]
    assert charlie.ids() == [str(theirs.pk)]
    told = next(data for name, data in bob.heard if name == "change")
    assert set(told) == {"kind", "id", "generation", "phase", "deleted"}


def test_who_saw_a_row_hears_that_it_is_gone(listen):
    vm = a_vm(a_vdc(), actor=_actor("bob"))
    bob, charlie = listen("bob"), listen("charlie")
    tell(vm)
    bob.until(bob.ids)
    VirtualMachine.objects.filter(pk=vm.pk).update(owner=None)  # now nobody could be asked any more
    tell(vm, deleted=True)
    bob.until(lambda: any(data.get("deleted") for _, data in bob.heard))
    assert charlie.ids() == []


def test_signing_out_ends_the_stream_within_seconds(listen):
    alice = listen("alice")
    type(alice.session).objects.filter(pk=alice.session.pk).update(revoked_at=timezone.now())
    assert alice.ended.wait(8)


def test_losing_a_role_ends_the_stream_within_seconds(listen):
    bob = listen("bob")
    RoleBinding.objects.filter(user=bob.session.user).delete()
    assert bob.ended.wait(8)


def test_after_redis_was_away_everybody_is_told_to_fetch_anew(listen):
    alice = listen("alice")
    client = redis.Redis.from_url(os.environ["OVIM_REDIS_URL"])
    client.client_kill_filter(_type="pubsub")
    alice.until(lambda: alice.signs()[1:] == ["paused", "resync"] or alice.signs()[1:] == ["resync"])
    vm = a_vm(a_vdc(), actor=_actor("bob"))
    tell(vm)
    alice.until(lambda: str(vm.pk) in alice.ids())


def test_who_comes_back_hears_what_was_missed_meanwhile(listen, live):
    first, second, theirs = (
        a_vm(a_vdc(), "first"),
        a_vm(a_vdc("prod"), "second"),
        a_vm(a_vdc("main", organization=an_organization("globex")), "theirs"),
    )
    alice, witness = listen("alice"), listen("alice")
    tell(first)
    alice.until(alice.ids)
    last = alice.leave()
    tell(second)
    tell(theirs)
    witness.until(lambda: str(second.pk) in witness.ids())
    back = Listener(live.url, alice.session, since=last).start()
    back.until(back.ids)
    assert back.signs() == ["resumed"]
    assert back.ids() == [str(second.pk)]
    assert back.last_id != last


@pytest.mark.parametrize("since", ["nonsense", "abc-1-xyz", "0-0-0", "-", "9" * 64])
def test_an_id_that_is_not_known_is_a_resync(listen, live, since):
    alice = Listener(live.url, session_of(make_person("alice")), since=since).start()
    assert alice.signs() == ["resync"]


def test_who_comes_back_with_other_rights_fetches_anew(listen, live):
    a_vm(a_vdc(), "web", actor=_actor("bob"))
    bob = listen("bob")
    last = bob.leave()
    RoleBinding.objects.filter(user=bob.session.user).update(role="vdc_admin")
    back = Listener(live.url, bob.session, since=last).start()
    assert back.signs() == ["resync"]


def test_the_portals_cookie_is_as_good_and_no_cookie_is_401(live):
    make_person("alice")
    browser = Client()
    browser.post("/sign-in/", {"username": "alice", "password": PASSWORD})
    cookie = f"sessionid={browser.cookies['sessionid'].value}"
    answer = _stream(live, Cookie=cookie, Origin=os.environ["OVIM_PUBLIC_URL"])
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Access-Control-Allow-Origin"] == os.environ["OVIM_PUBLIC_URL"]
    answer.close()
    for headers in ({}, {"Cookie": "sessionid=forged"}, {"Authorization": "Bearer forged"}):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            _stream(live, **headers)
    foreign = _stream(live, Cookie=cookie, Origin="https://evil.example")
    assert foreign.headers.get("Access-Control-Allow-Origin") is None  # the browser keeps it from the page
    foreign.close()


def test_it_ends_at_once_while_streams_are_open(live_db):
    with LiveServer() as own:
        alice = Listener(own.url, session_of(make_person("alice"))).start()
        started = time.monotonic()
        own.process.terminate()
        own.process.wait(timeout=5)
    assert time.monotonic() - started < 3
    assert alice.ended.wait(2)


def _stream(live, **headers):
    request = urllib.request.Request(f"{live.url}/live/v1/stream", headers=headers)
    return urllib.request.urlopen(request, timeout=5)


def _actor(name):
    an_organization()
    return actor_of(make_person(name))


def test_a_change_is_looked_up_once_however_many_listen(live_db, monkeypatch):
    vms = [a_vm(a_vdc(f"v{number}"), f"vm-{number}") for number in range(3)]
    heard = [Change("vm", str(vm.pk), 1, "Running", str(vm.organization_id), False) for vm in vms]
    alice, charlie = (_actor(name) for name in ("alice", "charlie"))
    viewers = [Viewer(uuid4(), actor) for actor in (alice, charlie) for _ in range(25)]
    looked: list[list[tuple[str, str]]] = []
    read = viewer._places

    def counted(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], viewer.Place]:
        looked.append([*keys])
        return read(keys)

    monkeypatch.setattr(viewer, "_places", counted)

    async def listen() -> list[list[Change]]:
        places = Places()
        return await asyncio.gather(*(one.may_hear(heard, places) for one in viewers))

    with ThreadPoolExecutor(1) as alone:  # this thread may have a browser's event loop
        told = alone.submit(asyncio.run, listen()).result()
    assert told == [heard] * 25 + [[]] * 25
    assert looked == [[change.key for change in heard]]


def test_sessions_are_checked_in_one_question_by_the_rule_of_every_request(live_db, django_assert_num_queries):
    sessions = [session_of(make_person(name)) for name in ("alice", "bob", "charlie", "nobody", "vera")]
    type(sessions[1]).objects.filter(pk=sessions[1].pk).update(revoked_at=timezone.now())
    type(sessions[2].user).objects.filter(pk=sessions[2].user_id).update(is_active=False)
    unused = timezone.now() - timedelta(hours=1)
    type(sessions[4]).objects.filter(pk=sessions[4].pk).update(idle_after=timedelta(minutes=30), seen_at=unused)
    with django_assert_num_queries(1):
        found = actors_of_sessions({session.pk for session in sessions})
    assert found == {session.pk: actor_of_session(session.pk) for session in (sessions[0], sessions[3])}
    assert [actor_of_session(sessions[number].pk) for number in (1, 2, 4)] == [None, None, None]
