"""Pieces of pages that are kept: what one person is shown is never kept for another."""

import re

import pytest

from tests.domain import a_vdc
from tests.portal import browser

pytestmark = pytest.mark.django_db


def _ways(page: str) -> list[str]:
    return re.findall(r'href="([^"]*)" data-key=', page)


def test_navigation_is_each_ones_own() -> None:
    provider, tenant = browser("root"), browser("bob")
    for _ in range(2):  # the second time from what is kept
        of_provider, of_tenant = (_ways(who.get("/vms/").content.decode()) for who in (provider, tenant))
        assert "/clusters/" in of_provider
        assert "/clusters/" not in of_tenant
        assert "/vms/" in of_tenant


def test_navigation_keeps_the_place_and_marks_the_page() -> None:
    provider, vdc = browser("root"), a_vdc("dev")
    there = provider.get(f"/vms/?vdc={vdc.pk}").content.decode()
    elsewhere = provider.get("/vdcs/").content.decode()
    assert f"/vms/?vdc={vdc.pk}" in _ways(there)
    assert "/vms/" in _ways(elsewhere)
    assert re.search(r'data-key="v" aria-current="page"', there)
    assert re.search(r'data-key="d" aria-current="page"', elsewhere)
    assert not re.search(r'data-key="v" aria-current="page"', elsewhere)
