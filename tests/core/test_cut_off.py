"""A connection to the database that ends between a commit and its answer."""

import contextlib

import pytest
from django.db import OperationalError, connection

from core.api.base import ApiViewSet
from tenancy.models import Organization
from tests.cast import Api, make_person, session_of


def test_an_answer_without_a_database_does_not_say_that_nothing_was_done(
    live_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for is done, only the answer can't be made: it must not say otherwise."""
    alice = Api(session_of(make_person("alice")))
    organization = Organization.objects.get(name="acme")
    answer = ApiViewSet.answer

    def cut_off(view, row, status=200):
        with contextlib.suppress(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return answer(view, row, status)

    with monkeypatch.context() as patch:
        patch.setattr(ApiViewSet, "answer", cut_off)
        told = alice.patch(f"organizations/{organization.pk}", {"display_name": "Changed"})
    assert told.status_code == 503
    assert "is not known" in told.json()["detail"]
    connection.close()
    organization.refresh_from_db()
    assert organization.display_name == "Changed"
