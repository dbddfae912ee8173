"""Random histories: people, strangers, faults, dying and pausing workers, lost events and late requests, in any order.

Whatever happened, once it is quiet: desired = live, no orphan, no foreign object touched. A seed is a history; a
failing one is run again alone with `-k "seed and 17"`, say.
"""

import contextlib
import random
import uuid
from typing import Any

import orjson
import pytest

from clusters import heal, queue
from clusters.apply import CLAIM, token_of
from clusters.client import Client
from clusters.errors import KubeError
from clusters.models import Cluster, InventoryItem, WorkItem
from clusters.refs import Ref, manifest
from tests.engine import driver
from tests.engine.death import dying_at
from tests.engine.driver import CONFIG_MAP, SECRET, Killed
from tests.engine.notes import kinds
from tests.engine.notes.models import Note, Notebook
from tests.sandbox import Sandbox

SEEDS = 208
AT_ONCE = 8


class History:
    """One seed: a notebook of its own, and what may happen to it."""

    def __init__(self, seed: int, cluster: Cluster, sandbox: Sandbox) -> None:
        self.random = random.Random(seed)
        self.cluster, self.sandbox = cluster, sandbox
        self.book = driver.notebook(cluster, f"s{seed}-{uuid.uuid4().hex[:6]}")
        self.foreign: dict[Ref, str] = {}
        self.late: list[tuple[Client, tuple[Any, ...]]] = []
        self.names = 0

    def run(self) -> None:
        acts = [
            (5, self.create), (4, self.rewrite), (2, self.delete), (3, self.remove), (2, self.usurp), (4, self.fault),
            (6, self.work), (5, self.die), (3, self.take_over), (4, self.relist), (2, self.postpone), (2, self.land),
            (1, self.lose_request), (1, self.sweep),
        ]  # fmt: skip
        self.create()
        for _ in range(self.random.randint(10, 22)):
            self.random.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()

    # people
    def notes(self) -> list[Note]:
        return list(Note.objects.filter(notebook=self.book, deletion_requested_at__isnull=True))

    def create(self) -> None:
        self.names += 1
        size, quota = self.random.randint(0, 3), self.random.random() < 0.3
        driver.note(self.book, f"n{self.names}", text=str(self.random.random()), parts=size, quota=quota)

    def rewrite(self) -> None:
        if notes := self.notes():
            kinds.rewrite(
                self.random.choice(notes), text=str(self.random.random()), parts=self.random.randint(0, 3),
                quota=self.random.random() < 0.3,
            )  # fmt: skip

    def delete(self) -> None:
        if notes := self.notes():
            kinds.delete(None, self.random.choice(notes))

    # strangers
    def target(self) -> Ref:
        kind, name = self.random.choice(
            [("ConfigMap", "n{}-0"), ("ConfigMap", "n{}-1"), ("Secret", "n{}-secret"), ("ResourceQuota", "n{}-guard")]
        )
        return driver.ref(kind, self.book.name, name.format(self.random.randint(1, self.names + 1)))

    def remove(self) -> None:
        target = self.target()
        if target not in self.foreign:
            self.quietly(lambda: driver.remove(self.cluster, target))

    def usurp(self) -> None:
        """Somebody makes an object under a name that is ours or will be."""
        target = self.target()
        if target.kind == "ResourceQuota":
            body = manifest("v1", target.kind, target.name, namespace=target.namespace, spec={"hard": {"pods": "99"}})
        else:
            body = manifest("v1", target.kind, target.name, namespace=target.namespace)
            body["stringData" if target.kind == "Secret" else "data"] = {"theirs": "yes"}
        if self.random.random() < 0.5 and target not in self.foreign:
            self.quietly(lambda: driver.remove(self.cluster, target))
        made = self.quietly(lambda: driver.post(self.cluster, body))
        if made is not None and target.kind != "ResourceQuota":
            self.foreign[target] = made["metadata"]["uid"]

    def quietly(self, act: Any) -> Any:
        try:
            return act()
        except KubeError:
            return None  # a fault hit the stranger, or the name was taken

    # the cluster
    def fault(self) -> None:
        action = self.random.choice(["status", "status", "lost", "reset"])
        self.sandbox.fault(
            action,
            code=self.random.choice([403, 409, 429, 500, 503]),
            method=self.random.choice(["PATCH", "DELETE", "GET", ""]),
            path=f"/namespaces/{self.book.name}",
            count=self.random.randint(1, 3),
        )

    # workers, the watcher
    def work(self) -> None:
        if self.random.random() < 0.7:
            driver.hurry()
        driver.work(self.cluster)

    def die(self) -> None:
        driver.hurry()
        with dying_at(self.random.randint(0, 14)), contextlib.suppress(Killed):
            driver.work(self.cluster)
        if self.random.random() < 0.7:
            driver.expire_leases()

    def take_over(self) -> None:
        """A worker is stopped past its lease, another takes over, then the first goes on."""
        driver.hurry()
        first = queue.claim(self.cluster.pk, limit=3)
        driver.expire_leases()
        driver.work(self.cluster)
        driver.run(first)

    def postpone(self) -> None:
        """A worker is stopped between its fence and its request; the request goes out later (see `land`)."""
        driver.hurry()
        after = self.random.randint(0, 4)
        history, json = self, Client._json

        def stopping(client: Client, method: str, *rest: Any) -> Any:
            nonlocal after
            if method == "GET":
                return json(client, method, *rest)
            if after == 0:
                history.late.append((client, (method, *rest)))
                raise Killed
            after -= 1
            return json(client, method, *rest)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Client, "_json", stopping)
            with contextlib.suppress(Killed):
                driver.work(self.cluster)
        driver.expire_leases()

    def land(self) -> None:
        if self.late:
            client, request = self.late.pop(self.random.randrange(len(self.late)))
            self.quietly(lambda: client._json(*request))

    def relist(self) -> None:
        self.quietly(lambda: driver.relist(self.cluster))

    def lose_request(self) -> None:
        WorkItem.objects.filter(lease_token__isnull=True, attempts=0).delete()

    def sweep(self) -> None:
        heal.sweep_tombstones()

    # when it is quiet
    def calm_down(self) -> None:
        self.sandbox.clear()
        while self.late:
            self.land()
        driver.expire_leases()
        heal.request_unsettled()
        driver.settle(self.cluster, rounds=40)
        heal.sweep_tombstones()
        self.find_strangers()
        for ref, uid in self.foreign.items():
            live = driver.client(self.cluster).get(ref)
            assert live is not None, f"{ref} was not ours and is gone"
            assert live["metadata"]["uid"] == uid, f"{ref} was not ours and was replaced"
            assert token_of(live) is None, f"{ref} was not ours and we wrote to it"
            driver.remove(self.cluster, ref)
        driver.hours_pass()
        queue.request_all(Note.objects.filter(notebook=self.book).select_related("notebook"))
        driver.settle(self.cluster, rounds=40)

    def find_strangers(self) -> None:
        """A stranger's request whose answer a fault swallowed was carried out all the same."""
        for kind in (CONFIG_MAP, SECRET):
            for live in driver.client(self.cluster).list(kind, namespace=self.book.name)[0]:
                name = live["metadata"]["name"]
                if token_of(live) is None and name != "kube-root-ca.crt":
                    ref = driver.ref(kind.kind, self.book.name, name)
                    self.foreign.setdefault(ref, live["metadata"]["uid"])

    def check(self) -> None:
        self.book.refresh_from_db()
        assert self.book.phase == "Active"
        wanted = {f"{note.name}-{index}": note.text for note in self.notes() for index in range(note.parts)}
        objects, _ = driver.client(self.cluster).list(CONFIG_MAP, namespace=self.book.name)
        maps = [item for item in objects if item["metadata"]["name"] != "kube-root-ca.crt"]
        assert {item["metadata"]["name"]: item["data"]["text"] for item in maps} == wanted
        hidden, _ = driver.client(self.cluster).list(SECRET, namespace=self.book.name)
        assert {item["metadata"]["name"] for item in hidden} == {f"{note.name}-secret" for note in self.notes()}
        for item in [*objects, *hidden]:
            if CLAIM in item["metadata"].get("annotations", {}):
                uid = item["metadata"]["uid"]
                assert InventoryItem.objects.filter(uid=uid, tombstoned_at__isnull=True).exists(), f"orphan {uid}"
        for note in Note.objects.filter(notebook=self.book):
            assert note.deletion_requested_at is None, "a deleted row is still there"
            assert (note.phase, note.observed_generation) == ("Active", note.generation), orjson.dumps(note.conditions)
        assert not WorkItem.objects.exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE), ids=lambda first: f"seeds-{first}-{first + AT_ONCE - 1}")
def test_any_history_ends_well(cluster: Cluster, sandbox: Sandbox, first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        history = History(seed, cluster, sandbox)
        try:
            history.run()
            history.calm_down()
            history.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        finally:
            sandbox.clear()
        Note.objects.filter(notebook=history.book).delete()
        WorkItem.objects.all().delete()
        InventoryItem.objects.all().delete()
        Notebook.objects.filter(pk=history.book.pk).delete()
        sandbox.request("DELETE", f"/api/v1/namespaces/{history.book.name}")
