"""The API's reference as a page: whole, for everybody, and within the portal's own rules."""

import re

import pytest
import yaml
from django.test import Client

from tests.live.conftest import ROOT

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((ROOT / "schema.yaml").read_text())


@pytest.fixture
def page():
    answer = Client().get("/api/docs/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    return answer


def test_every_operation_is_in_it(page, document):
    text = page.content.decode()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"<code>{method.upper()} {path}</code>" in text
            assert f'id="{operation["operationId"]}"' in text
    assert "power_state" in text
    assert "Idempotency-Key" in text
    assert "quota refuses" in text


def test_it_keeps_the_policy_and_loads_nothing_from_elsewhere(page):
    text = page.content.decode()
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*src=)|style=|<style|\son[a-z]+=", text)
    assert not re.search(r'(src|href)="(https?:)?//', text)


def test_it_says_nothing_to_programmers_of_ovim(page, document):
    """Docstrings of base classes are ours, not the readers'."""
    assert "lists are rendered by PostgreSQL" not in page.content.decode()
    assert "read_right" not in str(document)


def test_the_portal_leads_to_it(cluster):
    from tests.test_permissions import signed_in

    assert b'href="/api/docs/"' in signed_in("alice").get("/vms/").content
