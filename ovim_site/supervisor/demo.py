"""The demo's scenario: a tenant's user makes a virtual machine through the public REST API, like anybody could."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

Json = dict[str, Any]
Say = Callable[[str], None]

VM_NAME = "demo-1"
RUNNING, FAILED = "running", ("failed", "error")
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 180.0


class DemoError(Exception):
    """Why the virtual machine does not run, in one sentence."""


@dataclass(frozen=True, slots=True)
class SignIns:
    """What `manage.py setup_demo --sign-ins FILE` wrote: who can sign in, and as whom the demo acts."""

    demo_user: str
    people: list[Json]

    @classmethod
    def read(cls, file: Path) -> SignIns:
        try:
            found = json.loads(file.read_text())
            return cls(demo_user=found["demo_user"], people=found["sign_ins"])
        except (OSError, ValueError, KeyError) as error:
            raise DemoError(f"{file} has no sign-ins of the demo ({error!r}): begin anew with `make clean`.") from None

    def password(self, username: str) -> str:
        return str(next(person["password"] for person in self.people if person["username"] == username))


# ---- the API's words, all of them in this block


def new_vm(vdc: Json, item: Json) -> Json:
    return {"vdc": vdc["id"], "name": VM_NAME, "catalog_item": item["id"]}


def phase_of(vm: Json) -> str:
    return str(vm.get("phase", "")).lower()


def claim_of(vm: Json) -> str:
    disks = sum(int(disk.get("size_gib") or 0) for disk in vm.get("disks", ()))
    return f"{vm.get('cpu')} vCPU, {vm.get('memory_mib')} MiB memory, {disks} GiB disk"


def progress_of(vm: Json) -> Iterator[str]:
    for disk in vm.get("disks", ()):
        percent = disk.get("progress_percent")
        if percent is not None and percent < 100:
            yield f"disk {disk.get('name', '')} importing {percent} %"


def address_of(vm: Json) -> str:
    addresses = [face.get("address") or face.get("ip_address") for face in vm.get("interfaces", ())]
    return str(vm.get("address") or next(filter(None, addresses), ""))


def failure_of(vm: Json) -> str:
    """Why it failed, or nothing."""
    causes = [
        c for c in vm.get("conditions", ()) if c["type"].endswith("Failed") and str(c["status"]).lower() == "true"
    ]
    if causes or phase_of(vm) in FAILED:
        return "; ".join(f"{cause['reason']}: {cause['message']}" for cause in causes) or f"phase {vm['phase']}"
    return ""


# ---- the scenario


class Api:
    """The public API as one person."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(10), retries=False)
        self._token = ""

    def sign_in(self, username: str, password: str) -> None:
        answer = self.call("POST", "/auth/login", {"username": username, "password": password})
        self._token = answer["access"]

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            answer = self._http.request(method, f"{self._base}/api/v1{path}", json=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise DemoError(f"{method} {path}: no answer ({error})") from None
        try:
            found = answer.json() if answer.data else {}
        except ValueError:
            found = {}
        if answer.status >= 400:
            reason = found.get("detail") or found.get("title") or answer.reason
            raise DemoError(f"{method} {path} answered {answer.status}: {reason}")
        return dict(found)

    def results(self, path: str) -> list[Json]:
        return list(self.call("GET", path).get("results", ()))


def provision(api: Api, sign_ins: SignIns, say: Say) -> Json:
    """Make the machine, or take the one that is there, and tell each step until it runs and has an address."""
    username = sign_ins.demo_user
    api.sign_in(username, sign_ins.password(username))
    say(f"signed in as {username}")
    vm = _existing(api) or _create(api, say)
    return _follow(api, vm, say)


def _existing(api: Api) -> Json | None:
    found = [vm for vm in api.results(f"/vms?name={VM_NAME}") if vm["name"] == VM_NAME]
    return found[0] if found else None


def _create(api: Api, say: Say) -> Json:
    vdcs, items = api.results("/vdcs"), api.results("/catalog-items")
    if not vdcs or not items:
        raise DemoError("the example tenant has no VDC or no catalog item: begin anew with `make clean`")
    began = time.monotonic()
    vm = api.call("POST", "/vms", new_vm(vdcs[0], items[0]))
    took = (time.monotonic() - began) * 1000
    say(f"{VM_NAME} from {items[0]['name']} in {vdcs[0]['name']}: accepted in {took:.0f} ms")
    say(f"quota claimed: {claim_of(vm)}")
    return vm


def _follow(api: Api, vm: Json, say: Say) -> Json:
    deadline = time.monotonic() + PATIENCE_SECONDS
    said: set[str] = set()
    while time.monotonic() < deadline:
        for line in (*progress_of(vm), phase_of(vm)):
            if line and line not in said:
                said.add(line)
                say(line)
        if reason := failure_of(vm):
            raise DemoError(f"{VM_NAME} failed: {reason}")
        if phase_of(vm) == RUNNING and address_of(vm):
            say(f"address {address_of(vm)}")
            return vm
        time.sleep(POLL_SECONDS)
        vm = api.call("GET", f"/vms/{vm['id']}")
    raise DemoError(f"{VM_NAME} does not run after {PATIENCE_SECONDS:.0f} s; its phase is {vm.get('phase')}")


class Scenario:
    """`provision` in a thread of its own, so that the parts are looked after meanwhile."""

    def __init__(self, base: str, sign_ins: Path, say: Say) -> None:
        self.failure = ""
        self._work = (base, sign_ins, say)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finished(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        base, sign_ins, say = self._work
        try:
            provision(Api(base), SignIns.read(sign_ins), say)
        except DemoError as error:
            self.failure = str(error)
        except Exception as error:  # the thread's end must always have a reason to show
            self.failure = f"the demo itself failed: {error!r}"
