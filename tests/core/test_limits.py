"""How many requests somebody may make: told with every answer, and never an outage of our own."""

import re

import pytest

from core.api import limits
from tests.cast import PASSWORD, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def limited(settings, monkeypatch):
    settings.OVIM_RATE_LIMIT_USER, settings.OVIM_RATE_LIMIT_ADDRESS = 3, 2
    monkeypatch.setitem(limits._quiet, "until", 0.0)
    monkeypatch.setattr(limits, "_now", lambda: 1_700_000_065.0)  # 35 s before the window ends
    limits._client(settings.OVIM_REDIS_URL).flushdb()


def test_each_answer_says_what_is_left_and_the_last_is_refused(api):
    root = api("root")
    seen = [root.get("me") for _ in range(4)]
    assert [answer.status_code for answer in seen] == [200, 200, 200, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in seen} == {'"user";q=3;w=60'}
    assert [answer.headers["RateLimit"] for answer in seen] == [
        '"user";r=2;t=35', '"user";r=1;t=35', '"user";r=0;t=35', '"user";r=0;t=35',
    ]  # fmt: skip
    refused = seen[-1]
    assert (refused.headers["Retry-After"], refused.json()["code"]) == ("35", "throttled")
    assert refused.json()["retry_after"] == 35
    assert api("alice").get("me").status_code == 200


def test_a_refusal_has_the_fields_too_and_a_refused_write_is_not_done(api):
    root = api("root")
    assert root.get("nope-no-such-list").status_code == 404  # no view, so nobody's count
    assert root.post("organizations", {}).headers["RateLimit"] == '"user";r=2;t=35'
    for _ in range(2):
        root.get("me")
    body = {"username": "dora", "password": PASSWORD + " 12"}
    assert root.post("users", body).status_code == 429
    assert api("root").get("users?username=dora").status_code == 429  # by user, whatever the session


def test_who_is_not_signed_in_counts_by_address(api):
    make_person("alice")
    stranger = api(None)
    first = stranger.get("auth/info")
    assert first.headers["RateLimit"] == '"address";r=1;t=35'
    assert stranger.get("vms", Authorization="Bearer forged").status_code == 401  # guessing tokens counts
    answer = stranger.post("auth/login", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 429
    assert re.fullmatch(r"\d+", answer.headers["Retry-After"])


def test_the_next_window_starts_afresh(api, monkeypatch):
    root = api("root")
    assert [root.get("me").status_code for _ in range(4)][-1] == 429
    monkeypatch.setattr(limits, "_now", lambda: 1_700_000_101.0)
    assert root.get("me").status_code == 200


def test_without_redis_nobody_is_refused_and_nobody_waits(api, settings, caplog):
    settings.OVIM_REDIS_URL = "redis://127.0.0.1:1/0"
    before = limits.UNCOUNTED._value.get()
    root = api("root")
    answers = [root.get("me") for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[0].headers
    assert caplog.text.count("requests are not counted") == 1
    assert limits.UNCOUNTED._value.get() == before + 6


def test_a_limit_of_nothing_is_none(api, settings):
    settings.OVIM_RATE_LIMIT_USER = 0
    root = api("root")
    answers = [root.get("me") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[0].headers
