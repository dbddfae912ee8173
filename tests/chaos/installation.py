"""The installation that seeds are run on: booted once, with its people signed in."""

import secrets

from clusters import kubeconfig
from clusters.sandbox.cdi.image import make_qcow2
from ovim_site.supervisor.demo import SignIns
from tests.bench.ground import Ground
from tests.chaos.faults import PARTS, Parts
from tests.chaos.history import History, Outcome
from tests.chaos.kubectl import Kubectl
from tests.chaos.people import PASSWORD, Voice
from tests.chaos.plan import people, plan


class Installation:
    def __init__(self, ground: Ground, *, users: int) -> None:
        self.ground, self.users = ground, users
        images = ground.var.folder / "sandbox" / "images"
        images.mkdir(parents=True)
        make_qcow2(images / "demo.qcow2", 64 * 1024**2, 1)  # small: hundreds of disks are filled from it
        ground.start("sandbox")
        ground.start("setup")
        self.parts = Parts(ground)
        ground.start("web")
        for name in PARTS:
            if name not in ground.running:
                self.parts.begin(name)
        self.kubectl = Kubectl(kubeconfig.read(ground.site.kubeconfig))
        self.root = Voice(ground.site.web_url, "root", SignIns.read(ground.site.sign_ins).password("root"))
        self.root.sign_in()
        self.voices = {person.name: self._person(person.name, person.role) for person in people(users)}

    def _person(self, name: str, role: str) -> Voice:
        """One of nobody's: an organization for each seed gives roles in it."""
        made = self.root.must("POST", "/users", {"username": name, "password": PASSWORD})
        if role == "system_admin":
            self.root.must("POST", "/role-bindings", {"user": made["id"], "role": role})
        voice = Voice(self.ground.site.web_url, name)
        voice.sign_in()
        return voice

    def run(self, seed: int, *, operations: int) -> Outcome:
        self.root.sign_in()
        tag = secrets.token_hex(2)  # the same seed may run twice on one installation
        drawn = plan(seed, operations=operations, users=self.users)
        return History(drawn, self.parts, self.kubectl, self.voices, self.root, tag=tag).run()
