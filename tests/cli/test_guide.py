"""docs/cli.md is true: its examples are run from top to bottom, by bash, against a server."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.models import Case, F, Value, When

from core.errors import Stale
from tests.cast import PASSWORD, make_person
from tests.cli.conftest import ROOT, Ovim
from vdcs import quotas
from vms import services
from vms.models import PowerState, VirtualMachine

GUIDE = ROOT / "docs" / "cli.md"


def settle() -> None:
    """As the cluster would: what is wanted is so, what is to go is gone."""
    for vm in VirtualMachine.objects.filter(power_state=PowerState.OFF, deletion_requested_at=None):
        with suppress(Stale):  # it was told something else just now
            services.release_active(vm=vm, expected_generation=vm.generation)
    phase = Case(When(power_state=PowerState.ON, then=Value("Running")), default=Value("Stopped"))
    VirtualMachine.objects.filter(deletion_requested_at=None).update(
        phase=phase, observed_generation=F("generation"), guest_os="Ubuntu"
    )
    for vm in VirtualMachine.objects.filter(deletion_requested_at__isnull=False).select_related("vdc"):
        with transaction.atomic():
            quotas.lock(vm.vdc, for_deletion=True)
            services.gone(vm)
            vm.delete()


@pytest.fixture
def cluster(item: object) -> Iterator[None]:
    ended = threading.Event()

    def run() -> None:
        try:
            while not ended.wait(0.5):
                settle()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.timeout(300)
def test_every_example_of_the_guide_works(ovim: Ovim, server: str, vdc: object, cluster: None, tmp_path: Path) -> None:
    make_person("alice")
    program = tmp_path / "bin" / "ovim"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m cli "$@"\n')
    program.chmod(0o755)
    blocks = re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 8
    script = "set -eu -o pipefail\n" + "\n".join(blocks).replace("https://cloud.example.org", server)
    env = ovim.environment() | {"PASSWORD": PASSWORD, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-xc", script], cwd=tmp_path, env=env, text=True, capture_output=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    names = set(VirtualMachine.objects.values_list("name", flat=True))
    assert names == {"web", "db", "front"}
    assert VirtualMachine.objects.get(name="web").cpu == 4
    for shown in (
        "would be created",
        "quota: memory_mib of vdc dev",
        "limits: ",
        "web\ton",
        "condition",
        "made it: ",
    ):
        assert shown in done.stdout, shown
