"""Persons who use the public API with tokens of their own. Who gets no answer asks again, under the same key."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import urllib3

from tests.chaos.plan import VMS, Operation, Person, Plan
from tests.chaos.record import Record, Told

PASSWORD = "a-crowd-of-twenty-persons"
PATIENCE_SECONDS = 180.0  # for one operation, faults included
HANG_UP_SECONDS = 0.02
AGAIN = (429, 500, 502, 503, 504)


class NoAnswer(Exception):
    """Whether it was done can't be known."""


@dataclass
class Voice:
    """One signed-in person at the API."""

    base: str
    username: str
    password: str = PASSWORD
    token: str = ""
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def sign_in(self) -> None:
        status, body = self.ask("POST", "/auth/login", {"username": self.username, "password": self.password})
        if status != 200:
            raise NoAnswer(f"{self.username} can't sign in: {status} {body}")
        self.token = body["access"]

    def ask(
        self, method: str, path: str, body: Any = None, *, seconds: float = 20.0, **headers: str
    ) -> tuple[int, Any]:
        """Status and body. NoAnswer when none came."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named["Authorization"] = f"Bearer {self.token}"
        timeout = urllib3.Timeout(connect=5, read=seconds)
        url = f"{self.base}/api/v1{path}"
        try:
            answer = self.http.request(method, url, json=body, headers=named, timeout=timeout)
            return answer.status, orjson.loads(answer.data) if answer.data else {}
        except (urllib3.exceptions.HTTPError, OSError, orjson.JSONDecodeError) as error:
            raise NoAnswer(str(error)) from error

    def must(self, method: str, path: str, body: Any = None) -> Any:
        """In quiet times: the answer has to be a good one."""
        status, answer = self.ask(method, path, body)
        if status >= 300:
            raise RuntimeError(f"{self.username}: {method} {path} was answered {status}: {answer}")
        return answer


@dataclass(frozen=True)
class Wish:
    """An operation as a request."""

    method: str
    path: str
    body: Any = None
    target: str = ""


class Crowd:
    """Everybody at once, each doing one thing after the other."""

    def __init__(
        self, plan: Plan, voices: Mapping[str, Voice], record: Record, organizations: Sequence[str], image_url: str
    ) -> None:
        self.plan, self.record, self.voices = plan, record, voices
        self.organizations = organizations
        self.image_url = image_url
        self.faults: list[BaseException] = []
        self.threads = [threading.Thread(target=self._live, args=(person,), daemon=True) for person in plan.people]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def _live(self, person: Person) -> None:
        try:
            for operation in self.plan.operations[person.name]:
                self.record.begin()
                self._carry_out(operation, self.voices[person.name])
        except BaseException as fault:
            self.faults.append(fault)
            raise

    def _carry_out(self, operation: Operation, voice: Voice) -> None:
        wish = self._wish(operation, voice)
        if wish is None:
            return
        told = Told(operation, wish.target, sent=wish.body or {})
        key = f"{self.plan.seed}-{operation.number}-{id(self.plan)}"
        end = time.monotonic() + PATIENCE_SECONDS
        hang_up = operation.hang_up
        while time.monotonic() < end:
            request_id = f"chaos-{key}-{len(told.request_ids)}"
            told.request_ids.append(request_id)
            headers = {"X_Request_Id": request_id} | ({"Idempotency_Key": key} if wish.method == "POST" else {})
            try:
                seconds = HANG_UP_SECONDS if hang_up else 20.0
                status, body = voice.ask(wish.method, wish.path, wish.body, seconds=seconds, **headers)
            except NoAnswer:
                told.lost.append(request_id)
                time.sleep(0.2 if not hang_up else 0.02)
                hang_up = False
                continue
            hang_up = False
            if status == 401:
                self._sign_in_again(voice)
            elif status in AGAIN or body.get("code") == "idempotency_in_progress":
                if status >= 500:
                    told.lost.append(request_id)
                elif status == 429:
                    told.denied.append(request_id)
                time.sleep(0.3)
            else:
                told.status, told.body = status, body
                break
        self._learn(told)
        self.record.add(told)

    def _sign_in_again(self, voice: Voice) -> None:
        try:
            voice.sign_in()
        except NoAnswer:
            time.sleep(0.3)

    def _learn(self, told: Told) -> None:
        operation, place = told.operation, told.operation.place
        if told.accepted and told.sent.get("vdc"):
            self.record.learn(("vm", told.sent["vdc"], told.sent["name"]), told.body["id"])
        elif told.accepted and operation.verb == "delete_vm":
            vdc = self.record.knows(("vdc", self.organizations[place.organization], place.vdc))
            self.record.learn(("vm", vdc, place.vm), "")
        elif told.accepted and operation.verb == "create_vdc":
            self.record.learn(("vdc", self.organizations[place.organization], place.vdc), told.body["id"])

    # --- operations as requests ------------------------------------------------------------------------------------

    def _wish(self, operation: Operation, voice: Voice) -> Wish | None:
        """None: there is nothing to do it to."""
        verb, place = operation.verb, operation.place
        organization = self.organizations[place.organization]
        if verb == "create_vdc":
            body = {"organization": organization, "name": place.vdc, **operation.given}
            return Wish("POST", "/vdcs", body)
        if verb == "organization_quota":
            return Wish("PUT", f"/organizations/{organization}/quota", operation.given, organization)
        if verb == "rename_organization":
            return Wish("PATCH", f"/organizations/{organization}", operation.given, organization)
        vdc = self.record.knows(("vdc", organization, place.vdc))
        if not vdc:
            return None
        if verb in ("vdc_limits", "edit_vdc"):
            return Wish("PATCH", f"/vdcs/{vdc}", operation.given, vdc)
        if verb == "delete_vdc":
            return Wish("DELETE", f"/vdcs/{vdc}?cascade=true", target=vdc)
        vm = self.record.knows(("vm", vdc, place.vm))
        if not vm or verb == "create_vm":
            return self._new_vm(operation, vdc, self._free_name(vdc, place.vm))
        return WISHES[verb](operation, vm, voice)

    def _free_name(self, vdc: str, wanted: str) -> str:
        """The next that nobody is known to have; another may be faster."""
        first = int(wanted[1:])
        names = [f"v{(first + step) % VMS:02}" for step in range(VMS)]
        return next((name for name in names if not self.record.knows(("vm", vdc, name))), wanted)

    def _new_vm(self, operation: Operation, vdc: str, name: str) -> Wish:
        body = {
            "vdc": vdc,
            "name": name,
            "description": f"operation {operation.number}",
            "image_url": self.image_url,
            **operation.instead,
        }
        return Wish("POST", "/vms", body)


def _order(operation: Operation, vm: str, voice: Voice) -> Wish:
    body: dict[str, Any] = dict(operation.given)
    if body["order"] == "recreate-disk":
        try:
            _, found = voice.ask("GET", f"/vms/{vm}")
        except NoAnswer:
            found = {}
        disk = next(iter(found.get("disks", ())), None)
        if disk is not None:
            body |= {"disk": disk["id"], "confirm": disk["name"]}
    return Wish("POST", f"/vms/{vm}/orders", body, vm)


WISHES: Mapping[str, Callable[[Operation, str, Voice], Wish]] = {
    "power_on": lambda _operation, vm, _voice: Wish("POST", f"/vms/{vm}/start", target=vm),
    "power_off": lambda _operation, vm, _voice: Wish("POST", f"/vms/{vm}/stop", target=vm),
    "resize_vm": lambda operation, vm, _voice: Wish("PATCH", f"/vms/{vm}", operation.given, vm),
    "rename_vm": lambda operation, vm, _voice: Wish("PATCH", f"/vms/{vm}", operation.given, vm),
    "delete_vm": lambda _operation, vm, _voice: Wish("DELETE", f"/vms/{vm}", target=vm),
    "order": _order,
}
