"""`ovim audit export`: the log as a file."""

import csv
import json
import stat
from io import StringIO

from core.models import AuditEntry
from tests.cast import make_organization, make_person


def logged(count: int = 3) -> None:
    acme = make_organization("acme")
    for number in range(count):
        AuditEntry.objects.create(
            actor_name="bob", action="vm.create", object_name=f"web-{number}", organization_id=acme.pk, reason="=1+1"
        )
    AuditEntry.objects.create(actor_name="eve", action="of.globex", organization_id=make_organization("globex").pk)


def test_csv_and_json_lines_on_stdout_and_nothing_else(ovim, server, vdc):
    logged()
    make_person("alice")
    ovim.login(server, "alice")
    rows = list(csv.DictReader(StringIO(ovim.ok("audit", "export", "--action", "vm.create"))))
    assert [row["object_name"] for row in rows] == ["web-2", "web-1", "web-0"]
    assert rows[0]["reason"] == "'=1+1"
    lines = ovim.ok("audit", "export", "--format", "jsonl").splitlines()
    told = [json.loads(line)["action"] for line in lines]
    assert "vm.create" in told
    assert "of.globex" not in told


def test_a_file_is_private_and_whole_or_not_there(root, tmp_path):
    logged(2500)  # more than one piece
    target = tmp_path / "log.jsonl"
    done = root("audit", "export", "--format", "jsonl", "-o", str(target), "--organization", "acme", "--q", "web")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert len(target.read_text().splitlines()) == 2500
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert f"{target.stat().st_size} bytes" in done.stderr
    assert [path.name for path in tmp_path.glob("*.part")] == []
    assert AuditEntry.objects.filter(action="audit.export").count() == 1
    assert "can't be written" in root.refused(1, "audit", "export", "-o", str(tmp_path / "nowhere" / "log.csv"))


def test_what_is_refused_is_no_file(bob, tmp_path):
    target = tmp_path / "log.csv"
    told = bob.refused(4, "audit", "export", "-o", str(target))
    assert "audit.view" in told
    assert not target.exists()
    assert list(tmp_path.glob(".*.part")) == []
