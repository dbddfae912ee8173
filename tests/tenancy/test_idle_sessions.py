"""Sessions that nobody uses end by themselves. Time is moved by the rows' timestamps."""

import os
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from ovim_site.environment import SettingError, read
from tenancy.models import Session
from tests.cast import PASSWORD, Api, make_person
from tests.portal import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(db):
    """Signed in over the API: the client, and its refresh token."""
    make_person("bob")
    told = Api().post("auth/login", {"username": "bob", "password": PASSWORD}).json()
    return Api(headers={"Authorization": f"Bearer {told['access']}"}), told["refresh"]


@pytest.fixture
def browser(db):
    make_person("bob")
    client = Client()
    assert client.post("/sign-in/", {"username": "bob", "password": PASSWORD}).status_code == 302
    return client


def unused_for(**time):
    Session.objects.update(seen_at=timezone.now() - timedelta(**time))


def test_a_browsers_session_ends_after_half_an_hour_without_use(browser):
    unused_for(minutes=29)
    assert browser.get("/vms/").status_code == 200
    unused_for(minutes=30, seconds=1)
    assert browser.get("/vms/").headers["Location"].startswith("/sign-in/")
    assert Session.objects.get().revoked_at is None  # nothing was written for it


def test_using_it_begins_the_time_anew(browser):
    unused_for(minutes=29)
    browser.get("/vms/")
    assert timezone.now() - Session.objects.get().seen_at < timedelta(minutes=1)
    unused_for(minutes=29)
    assert browser.get("/vms/").status_code == 200


def test_a_programs_session_ends_after_half_a_day_and_so_does_its_refresh_token(program):
    client, refresh = program
    unused_for(hours=11, minutes=59)
    assert client.get("me").status_code == 200
    unused_for(hours=12, seconds=1)
    refused = client.get("me")
    assert (refused.status_code, refused.json()["detail"]) == (401, "The session has ended: sign in again.")
    assert Api().post("auth/refresh", {"refresh": refresh}).status_code == 401


def test_renewing_the_tokens_is_a_use(program):
    _client, refresh = program
    unused_for(hours=11)
    assert Api().post("auth/refresh", {"refresh": refresh}).status_code == 200
    assert timezone.now() - Session.objects.get().seen_at < timedelta(minutes=1)


def test_what_a_page_fetches_by_itself_is_no_use(browser):
    """An open list follows its machines all night: that is no sign of anybody."""
    unused_for(minutes=20)
    before = Session.objects.get().seen_at
    assert browser.get("/vms/", headers={"Ovim-Unattended": "true"}).status_code == 200
    assert Session.objects.get().seen_at == before


def test_who_asks_costs_one_question_as_before(program, django_assert_num_queries):
    client, _ = program
    client.get("me")
    with django_assert_num_queries(1):
        client.get("me")


def test_sessions_tell_when_they_end_and_leave_out_those_that_did(program):
    client, _ = program
    Api().post("auth/login", {"username": "bob", "password": PASSWORD})
    one, other = client.get("me/sessions").json()["items"]
    assert other["ends_unused_at"] is not None
    Session.objects.filter(pk=one["id"]).update(seen_at=timezone.now() - timedelta(days=1))
    assert [item["id"] for item in client.get("me/sessions").json()["items"]] == [other["id"]]
    assert client.post("me/sessions/end-others").json() == {"ended": 0}


def test_the_page_says_after_how_long(browser):
    told = text(browser.get("/account/sessions/"))
    assert "A session of a browser ends once it was not used for 30 minutes." in told
    assert "A session of a program ends once it was not used for 12 hours." in told


def test_it_can_be_switched_off(settings):
    settings.OVIM_SESSION_IDLE_MINUTES = 0
    make_person("bob")
    client = Client()
    client.post("/sign-in/", {"username": "bob", "password": PASSWORD})
    unused_for(hours=11)
    assert client.get("/vms/").status_code == 200
    assert "not used for" in text(client.get("/account/sessions/"))  # of a program
    assert Session.objects.get().idle_after is None


@pytest.mark.parametrize("value", ["4", "1", "721", "soon"])
def test_a_time_that_can_t_be_kept_stops_the_start(value):
    with pytest.raises(SettingError, match="OVIM_SESSION_IDLE_MINUTES"):
        read({**os.environ, "OVIM_SESSION_IDLE_MINUTES": value})
