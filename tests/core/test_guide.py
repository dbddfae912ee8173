"""The examples of docs/api.md, by curl and a shell, against the web server."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tenancy.api import tokens
from tests.cast import PASSWORD, make_person, session_of
from tests.domain import a_vdc, a_vm, an_item
from tests.live.conftest import ROOT, answers, free_port
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow
EXAMPLE = re.compile(r"^\$ (curl .+)$", re.MULTILINE)


@pytest.fixture
def web(live_db):
    url = f"http://127.0.0.1:{free_port()}"
    serve = ("--interface", "wsgi", "--workers", "1", "--log-level", "warning", "--port", url.rpartition(":")[2])
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", *serve, "ovim_site.wsgi:application"],
        cwd=ROOT,
        env=os.environ | {"OVIM_PUBLIC_URL": url},
    )
    answers(f"{url}/healthz")
    yield url
    process.terminate()
    process.wait(timeout=10)


def test_the_guides_examples_do_what_they_say(web, settings):
    settings.OVIM_PUBLIC_URL = web  # whose tokens that server takes
    assert shutil.which("curl"), "curl is what the guide's examples are written for"
    vdc = a_vdc()
    vm = a_vm(vdc, "db")
    environment = os.environ | {
        "OVIM": web,
        "PASSWORD": PASSWORD,
        "TOKEN": tokens.issue(session_of(make_person("alice")))["access"],
        "VDC": str(vdc.pk),
        "ITEM": str(an_item("noble").pk),
        "VM": str(vm.pk),
    }
    examples = EXAMPLE.findall((ROOT / "docs" / "api.md").read_text())
    told = []
    for line in examples:
        run = subprocess.run(
            ["sh", "-c", line], env=environment, capture_output=True, text=True, check=True, timeout=30
        )
        told.append(json.loads(run.stdout))
    sign_in, listed, made, patched, plan = told
    assert sign_in["user"]["username"] == "alice"
    assert listed["items"][0].keys() == {"id", "name", "phase", "allowed_actions"}
    assert made["name"] == "web"
    assert patched["description"] == "the front end"
    assert (plan["dry_run"], plan["row"]["power_state"]) == ("true", "off")
    assert VirtualMachine.objects.get(pk=vm.pk).power_state == "on"
