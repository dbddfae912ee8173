"""How long after the answer to POST the VirtualMachine is in the cluster, on an idle system with all its processes."""

import contextlib
import random
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

from clusters import connections
from clusters.client import Client
from clusters.errors import KubeError
from clusters.models import Cluster
from clusters.refs import KINDS
from ovim_site.supervisor.demo import Api, SignIns, new_vm, runs
from tests.bench.ground import Ground
from tests.bench.table import Goal, Row

TIMES, MOST_MS = 20, 300.0
MACHINES = KINDS["kubevirt.io", "VirtualMachine"]


def measure(ground: Ground) -> Iterator[Row]:
    ground.start("sandbox")
    ground.start("setup")
    ground.start("web", "worker", "beat", "watcher")
    api = Api(ground.site.web_url)
    people = SignIns.read(ground.site.sign_ins)
    api.sign_in(people.demo_user, people.password(people.demo_user))
    vdc, item = api.results("/vdcs")[0], api.results("/catalog-items")[0]
    _until(lambda: api.call("GET", f"/vdcs/{vdc['id']}")["phase"] == "Active")
    seen = Arrivals(connections.client_of(Cluster.objects.get().pk))
    times = [_once(api, new_vm(f"late-{number}", vdc, item), seen) for number in range(TIMES + 1)][1:]
    told = ", ".join(f"{value:.0f}" for value in sorted(times))
    yield Row("provision-latency", statistics.median(times), "ms", None, Goal("≤", MOST_MS), f"each: {told}")


def _once(api: Api, body: dict[str, Any], seen: "Arrivals") -> float:
    """One VM, from answer to arrival; then it runs, goes, and everything is quiet again."""
    time.sleep(random.uniform(0.5, 1.5))  # at no fixed distance from beat's second
    vm = api.call("POST", "/vms", body)
    answered = time.perf_counter()
    took = (seen.of(body["name"]) - answered) * 1000
    _until(lambda: runs(api.call("GET", f"/vms/{vm['id']}")))
    api.call("DELETE", f"/vms/{vm['id']}")
    _until(lambda: not api.results(f"/vms?name={body['name']}"))
    return took


def _until(holds: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"nothing came of it in {seconds:.0f} s")
        time.sleep(0.1)


class Arrivals(threading.Thread):
    """A watch of VirtualMachines that remembers when each was first seen."""

    def __init__(self, client: Client) -> None:
        super().__init__(daemon=True)
        self._client, self._times, self._news = client, dict[str, float](), threading.Condition()
        self._version = client.list(MACHINES)[1]
        self.start()

    def run(self) -> None:
        with contextlib.suppress(KubeError):  # at the end the cluster goes before we do
            for event in self._client.watch(MACHINES, self._version, seconds=1800):
                now = time.perf_counter()
                if event["type"] == "ADDED":
                    with self._news:
                        self._times.setdefault(event["object"]["metadata"]["name"], now)
                        self._news.notify_all()

    def of(self, name: str, seconds: float = 30) -> float:
        with self._news:
            if not self._news.wait_for(lambda: name in self._times, seconds):
                raise RuntimeError(f"{name} did not arrive in {seconds:.0f} s")
            return self._times[name]
