"""The demo's scenario: a tenant's user makes a virtual machine through the public REST API, like anybody could."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

Json = dict[str, Any]
Say = Callable[[str], None]

NAMES = tuple(f"demo-{number}" for number in range(1, 100))
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 180.0
# A reconciler may fail and mend itself; only a failure that lasts is the demo's.
FAILURE_SECONDS = 10.0


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


def new_vm(name: str, vdc: Json, item: Json) -> Json:
    return {"vdc": vdc["id"], "name": name, "catalog_item": item["id"]}


def phase_of(vm: Json) -> str:
    return str(vm["phase"])


def runs(vm: Json) -> bool:
    return phase_of(vm) == "Running" and bool(address_of(vm))


def is_taken_for(vm: Json) -> bool:
    """Whether an earlier demo's machine is one to wait for: neither switched off nor going away."""
    return str(vm.get("power_state")).lower() != "off" and phase_of(vm) not in ("Terminating", "Stopping", "Stopped")


def claim_of(vm: Json) -> str:
    disks = sum(int(disk["size_gib"]) for disk in vm.get("disks", ()))
    return f"{vm['cpu']} vCPU, {vm['memory_mib']} MiB memory, {disks} GiB disk"


def progress_of(vm: Json) -> str:
    """CDI says "42.10%", and "N/A" while it doesn't know."""
    number = str(vm.get("progress") or "").rstrip("% ").partition(".")[0]
    return f"disk importing {number} %" if number.isdigit() and phase_of(vm) == "Provisioning" else ""


def address_of(vm: Json) -> str:
    return ", ".join(vm.get("ip_addresses") or ())


def failure_of(vm: Json) -> str:
    """Why it failed, or nothing."""
    held = [condition for condition in vm.get("conditions", ()) if condition["status"] == "True"]
    causes = [condition for condition in held if condition["type"].endswith("Failed")]
    if not causes and phase_of(vm) != "Failed":
        return ""
    return "; ".join(f"{cause['reason']}: {cause['message']}" for cause in causes) or "its phase is Failed"


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
        return list(self.call("GET", path).get("items", ()))


def provision(api: Api, sign_ins: SignIns, say: Say) -> Json:
    """Make the machine, or take the one that is there, and tell each step until it runs and has an address."""
    username = sign_ins.demo_user
    api.sign_in(username, sign_ins.password(username))
    say(f"signed in as {username}")
    name, vm = _pick(api)
    return _follow(api, vm or _create(api, name, say), say)


def _pick(api: Api) -> tuple[str, Json | None]:
    """The first name that is free or is that of a machine to wait for."""
    for name in NAMES:
        found = [vm for vm in api.results(f"/vms?name={name}") if vm["name"] == name]
        if not found or is_taken_for(found[0]):
            return name, found[0] if found else None
    raise DemoError(
        f"{NAMES[0]} to {NAMES[-1]} exist and are switched off: start one of them, or begin with `make clean`"
    )


def _create(api: Api, name: str, say: Say) -> Json:
    vdcs, items = api.results("/vdcs"), api.results("/catalog-items")
    if not vdcs or not items:
        raise DemoError("the example tenant has no VDC or no catalog item: begin anew with `make clean`")
    began = time.monotonic()
    vm = api.call("POST", "/vms", new_vm(name, vdcs[0], items[0]))
    took = (time.monotonic() - began) * 1000
    say(f"{name} from {items[0]['name']} in {vdcs[0]['name']}: accepted in {took:.0f} ms")
    say(f"quota claimed: {claim_of(vm)}")
    return vm


def _follow(api: Api, vm: Json, say: Say) -> Json:
    name, said, sound = vm["name"], "", time.monotonic()
    deadline = sound + PATIENCE_SECONDS
    while (now := time.monotonic()) < deadline:
        news = progress_of(vm) or phase_of(vm).lower()
        if news != said:
            said = news
            say(f"{name}: {news}")
        if runs(vm):
            say(f"{name}: address {address_of(vm)}")
            return vm
        reason = failure_of(vm)
        sound = sound if reason else now
        if now - sound > FAILURE_SECONDS:
            raise DemoError(f"{name} failed: {reason}")
        time.sleep(POLL_SECONDS)
        vm = api.call("GET", f"/vms/{vm['id']}")
    raise DemoError(f"{name} does not run after {PATIENCE_SECONDS:.0f} s: it is {phase_of(vm)}. {failure_of(vm)}")


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
