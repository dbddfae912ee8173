"""Promise: of writers that meet, nobody's work is lost and nobody wins twice (k8s-transcript 16)."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.conftest import MERGE, Answer, Cluster
from tests.contract.things import applied, config_map, made, maps, refusal, widget, widgets

pytestmark = pytest.mark.usefixtures("kinds")


def together(count: int, one: Callable[[int], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(one, range(count)))


def codes(answers: list[Answer]) -> dict[int, int]:
    return dict(Counter(answer.status for answer in answers))


def test_patches_of_different_fields_all_count(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), config_map("a"))
    path = maps(space, "a")
    found = together(40, lambda i: cluster.call("PATCH", path, {"data": {f"k{i}": "v"}}, media=MERGE))
    assert codes(found) == {200: 40}
    assert len(cluster.call("GET", path).body["data"]) == 40


def test_applies_of_different_managers_all_count(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), config_map("a"))
    found = together(40, lambda i: applied(cluster, maps(space, "a"), config_map("a", None, **{f"k{i}": "v"}), f"m{i}"))
    assert codes(found) == {200: 40}
    assert len(cluster.call("GET", maps(space, "a")).body["data"]) == 40


def test_one_creates(cluster: Cluster, space: str) -> None:
    assert codes(together(20, lambda _: applied(cluster, maps(space, "a"), config_map("a")))) == {201: 1, 200: 19}
    posts = together(20, lambda _: cluster.call("POST", widgets(space), widget("p")))
    assert codes(posts) == {201: 1, 409: 19}
    assert {refusal(answer)[1] for answer in posts if answer.status == 409} == {"AlreadyExists"}


def test_one_replaces(cluster: Cluster, space: str) -> None:
    body = made(cluster, widgets(space), widget("a"))
    puts = together(
        20, lambda i: cluster.call("PUT", widgets(space, "a"), {**body, "spec": {**body["spec"], "size": i + 2}})
    )
    assert codes(puts) == {200: 1, 409: 19}


def test_one_deletes(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a"))
    assert codes(together(20, lambda _: cluster.call("DELETE", widgets(space, "a")))) == {200: 1, 404: 19}
