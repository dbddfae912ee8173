"""`ovim logs`: the timeline as lines, from when one wants, and on as things happen."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from clusters import live as changes
from clusters.happenings import Told, What
from tests.cast import actor_of, make_person
from tests.cli.conftest import shown
from tests.cli.test_watch import listening, running
from tests.domain import a_vm
from tests.live.conftest import LiveServer
from tests.tenancy.test_timeline import a_write, an_event, happens

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (person |system |cluster) ")


@pytest.fixture
def web(vdc, item):
    return a_vm(vdc, "web", actor=actor_of(make_person("bob")), power_state="off")


def test_lines_oldest_first_each_with_its_time_and_source(root, web):
    happens(web, a_write())
    happens(web, an_event("bad luck", ok=False))
    lines = root.ok("logs", "vm/web").splitlines()
    assert all(LINE.match(line) for line in lines)
    assert [line[25:] for line in lines] == [
        "person  bob made it: 1 vCPU, 1 GiB of memory, 4 GiB of disk",
        "system  VirtualMachine web written [0.300 s]",
        "cluster ! bad luck",
    ]
    assert root.ok("logs", "vm/web", "--tail", "1").endswith("cluster ! bad luck\n")
    assert root.ok("logs", "vm/web", "--tail", "0") == ""
    both = root.ok("logs", "vm/web", "vdc/dev")
    assert "vm dev/web: ! bad luck" in both
    assert "vdc acme/dev: " in both


def test_since(root, web):
    happens(web, an_event("long ago", ago=7200), an_event("just now"))
    assert "long ago" not in root.ok("logs", "vm/web", "--since", "90m")
    assert "long ago" in root.ok("logs", "vm/web", "--since", "3h")
    at = (timezone.now() - timedelta(minutes=5)).isoformat()
    assert root.ok("logs", "vm/web", "--since", at).splitlines()[-1].endswith("just now")
    assert "write 90s, 10m" in root.refused(2, "logs", "vm/web", "--since", "yesterday")


def test_what_has_no_log(root, web):
    assert "ovim events user NAME" in root.refused(2, "logs", "user/root")
    assert root("logs", "vm/none").returncode == 3


@pytest.mark.slow
def test_follow_by_the_live_stream_which_the_server_names(root, web, live_db, settings):
    """No --live-server: the API says where it is."""
    with LiveServer() as live:
        settings.OVIM_LIVE_URL = live.url
        assert "ok       live stream: it speaks" in root.ok("doctor")
        happens(web, an_event("before", ok=False))
        with running(root.start("logs", "vm/web", "-f", "--tail", "1")) as process:
            assert process.stdout.readline().endswith("cluster ! before\n")
            listening(live)
            happens(web, Told(What.EVENT, "Odd", timezone.now(), {"kind": "Pod", "message": "news", "reason": "Odd"}))
            shown(phase="Provisioning", progress="42.10%")
            web.refresh_from_db()
            changes.publish([changes.Change("vm", web.pk, web.generation, web.phase, web.organization_id, False)])
            assert process.stdout.readline().endswith("cluster news\n")
            assert process.stdout.readline().endswith("cluster disk import 42.10%\n")
            process.send_signal(2)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert "asking every" not in err


def test_follow_without_a_stream_says_so_and_asks(root, web):
    with running(root.start("logs", "vm/web", "-f")) as process:
        assert "bob made it" in process.stdout.readline()
        happens(web, an_event("news"))
        assert process.stdout.readline().endswith("cluster news\n")
        process.send_signal(2)
        _, err = process.communicate(timeout=20)
    assert "No live stream" in err
