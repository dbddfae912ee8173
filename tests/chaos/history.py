"""One seed from its first request to the last check."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection

from clusters import status
from tests.chaos import calm, evidence, picture
from tests.chaos.checks import CHECKS, TOLD
from tests.chaos.faults import Faults, Parts
from tests.chaos.kubectl import Kubectl, NotSeen
from tests.chaos.meddling import Meddler
from tests.chaos.people import Crowd, Voice
from tests.chaos.plan import ORGANIZATIONS, Plan
from tests.chaos.quota_watch import QuotaWatch
from tests.chaos.record import Record
from tests.chaos.strangers import Strangers

QUOTA = {"cpu": 66, "memory_mib": 34 * 1024, "disk_gib": 90, "vms": 36, "running_vms": 30}
LIMITS = {"cpu": 20, "memory_mib": 10 * 1024, "disk_gib": 26, "vms": 11, "running_vms": 9}
STORM_SECONDS, CALM_SECONDS = 600.0, 240.0
LEAST_CALM_SECONDS = 15.0  # the last look, too, waits for what the look before it set going


@dataclass
class Outcome:
    """What came of a seed. Passed: nothing differs."""

    seed: int
    differences: list[str] = field(default_factory=list)
    storm_seconds: float = 0.0
    calm_seconds: float = 0.0
    counts: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)  # of the rows that differ, for whoever looks into it

    @property
    def passed(self) -> bool:
        return not self.differences


class History:
    """`run` does it all. The installation is the caller's, and is used for one seed after the other."""

    def __init__(
        self, plan: Plan, parts: Parts, kubectl: Kubectl, voices: dict[str, Voice], root: Voice, *, tag: str
    ) -> None:
        self.plan, self.parts, self.kubectl, self.voices, self.root = plan, parts, kubectl, voices, root
        self.prefix = f"s{plan.seed}{tag}"
        self.record = Record()
        self.faults = Faults(parts, kubectl)
        self.strangers = Strangers(kubectl, str(status.installation()))
        self.meddler = Meddler(kubectl, f"{self.prefix}-", self.strangers.planted.keys())
        self.organizations: list[str] = []
        self.seen: picture.Picture | None = None

    def run(self) -> Outcome:
        outcome = Outcome(self.plan.seed)
        self._prepare()
        site = self.parts.ground.site
        watch = QuotaWatch(site.environment["OVIM_DATABASE_OWNER_URL"])  # who sees all tenants
        watch.start()
        crowd = Crowd(self.plan, self.voices, self.record, self.organizations, site.environment["OVIM_DEMO_IMAGE_URL"])
        began = time.monotonic()
        self._storm(crowd)
        outcome.storm_seconds = time.monotonic() - began
        outcome.differences += [f"a person stumbled: {fault!r}" for fault in crowd.faults]
        began = time.monotonic()
        outcome.differences += self._calm()
        outcome.calm_seconds = time.monotonic() - began
        watch.stopping.set()
        watch.join(timeout=5)
        outcome.differences += [f"quota overshot for a while: {text}" for text in watch.found]
        outcome.counts = self._counts(watch)
        if self.seen is not None:
            outcome.evidence = evidence.about(outcome.differences, self.seen, self.record, self.meddler)
        return outcome

    # --- before ------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Three organizations with two VDCs each, people with roles in them, strangers' objects beside and inside."""
        for number in range(ORGANIZATIONS):
            name = f"{self.prefix}-{'xyz'[number]}"
            made = self.root.must("POST", "/organizations", {"name": name, "display_name": name})
            self.organizations.append(made["id"])
            mode = "elastic" if number == 1 else "reservation"
            self.root.must("PUT", f"/organizations/{made['id']}/quota", {"limits": QUOTA, "mode": mode})
        users = {item["username"]: item["id"] for item in self.root.must("GET", "/users?limit=200")["items"]}
        for person in self.plan.people:
            if person.organization is not None:
                place = {"organization": self.organizations[person.organization], "role": person.role}
                self.root.must("POST", "/role-bindings", {"user": users[person.name], **place})
        spaces = [self._vdc(number, name) for number in range(ORGANIZATIONS) for name in ("a", "b")]
        self.strangers.plant_world(f"foreign-{self.prefix}")
        self.strangers.take_name(f"{self.prefix}-x-c")
        self._until_open(spaces)
        self.strangers.plant_in(f"{self.prefix}-y-b", "v07", "v03")
        calm.until_still(self.kubectl, self.organizations, 30, self.parts.tend)
        self.strangers.remember()

    def _vdc(self, number: int, name: str) -> str:
        enforcement = "active" if number == 2 else "allocated"
        body = {"organization": self.organizations[number], "name": name, "limits": LIMITS, "enforcement": enforcement}
        made = self.root.must("POST", "/vdcs", body)
        self.record.learn(("vdc", self.organizations[number], name), made["id"])
        return str(made["id"])

    def _until_open(self, spaces: list[str]) -> None:
        end = time.monotonic() + 60
        while any(self.root.must("GET", f"/vdcs/{pk}")["phase"] != "Active" for pk in spaces):
            if time.monotonic() > end:
                raise RuntimeError("the VDCs do not become active, before anything was broken")
            self.parts.tend()
            time.sleep(0.2)

    # --- the storm ---------------------------------------------------------------------------------------------------

    def _storm(self, crowd: Crowd) -> None:
        """Everybody at once; what breaks and who meddles keeps step with how many operations have begun."""
        faults, meddling = list(self.plan.faults), list(self.plan.meddling)
        crowd.start()
        end = time.monotonic() + STORM_SECONDS
        while crowd.busy and time.monotonic() < end:
            while faults and faults[0].after <= self.record.begun:
                self.faults.do(faults.pop(0))
            if meddling and meddling[0].after <= self.record.begun:
                self.meddler.do(meddling.pop(0))
            self.parts.tend()
            time.sleep(0.02)

    # --- afterwards --------------------------------------------------------------------------------------------------

    def _calm(self) -> list[str]:
        """Until the checks find nothing, or for so long that they won't."""
        self.parts.tend(at_once=True)
        self.kubectl.control("clear")
        end = time.monotonic() + CALM_SECONDS
        found = ["the cluster was never looked at"]
        hours = False
        while time.monotonic() < end:
            connection.close()
            calm.minutes_pass()
            if hours:
                calm.hours_pass(self.organizations)
            seconds = max(end - time.monotonic(), LEAST_CALM_SECONDS)
            still = calm.until_still(self.kubectl, self.organizations, seconds, self.parts.tend)
            if not hours:
                hours = True  # once all is still, what is not watched is looked at, too
                continue
            found = self._differences()
            if not still:
                due = ", ".join(calm.due(self.organizations)) or "nothing is due"
                found.append(f"it did not become still within {CALM_SECONDS:.0f} s: {due}")
            if not found:
                return []
            time.sleep(1)
        return found

    def _differences(self) -> list[str]:
        try:
            self.seen = seen = picture.take(self.kubectl, self.organizations)
        except (NotSeen, DatabaseError) as error:
            return [f"nothing could be looked at: {error}"]
        found = [f"{name}: {text}" for name, check in CHECKS.items() for text in check(seen)]
        found += [f"{name}: {text}" for name, check in TOLD.items() for text in check(seen, self.record)]
        gone = [deed.ref.name for deed in self.meddler.deeds if deed.what == "delete_namespace"]
        return found + [f"strangers: {text}" for text in self.strangers.changed(without=gone)]

    def _counts(self, watch: QuotaWatch) -> dict[str, Any]:
        told = self.record.all()
        return {
            "operations": len(told),
            "accepted": sum(item.accepted for item in told),
            "refused": sum(400 <= item.status < 500 for item in told),
            "why refused": dict(Counter(item.body.get("code", "") for item in told if 400 <= item.status < 500)),
            "answers lost": sum(len(item.lost) for item in told),
            "faults": dict(self.faults.done),
            "meddling": dict(self.meddler.done),
            "quota looks": watch.looks,
        }
