"""`ovim edit`: only what was changed is sent, nobody's change is overwritten, and nothing typed is lost."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import shown
from vms.models import VirtualMachine


@pytest.fixture
def web(bob, vdc, item):
    bob.ok("create", "vm", "web", "--vdc", "dev", "--item", "jammy", "--description", "old", "--stopped")
    shown(phase="Stopped")
    return VirtualMachine.objects.get()


@pytest.fixture
def editor(bob, tmp_path):
    """`editor(code)`: an editor that runs this on `text`, once for each time it is opened; it keeps what it saw."""

    def use(*codes: str) -> Path:
        seen: Path = tmp_path / "seen"
        seen.mkdir(exist_ok=True)
        script = tmp_path / "editor.py"
        script.write_text(
            "import pathlib, sys\n"
            f"seen = pathlib.Path({str(seen)!r}); path = pathlib.Path(sys.argv[1])\n"
            "turn = len(list(seen.iterdir())); text = path.read_text()\n"
            "(seen / str(turn)).write_text(oct(path.stat().st_mode) + '\\n' + text)\n"
            f"codes = {list(codes)!r}\n"
            "env = {'text': text}; exec(codes[min(turn, len(codes) - 1)], env); path.write_text(env['text'])\n"
        )
        bob.env = {"EDITOR": f"{sys.executable} {script}"}
        return seen

    return use


def kept(told: str) -> str:
    """The text that the command says it has kept; the file is removed."""
    found = re.search(r"Your text is kept in (\S+)", told)
    assert found is not None, told
    path = Path(found.group(1))
    text = path.read_text()
    path.unlink()
    return text


def test_only_what_was_changed_is_sent(bob, web, editor):
    seen = editor("text = text.replace('description: old', 'description: new')")
    done = bob("edit", "vm/web")
    assert (done.returncode, done.stdout) == (0, "")
    assert "vm dev/web changed: description." in done.stderr
    web.refresh_from_db()
    assert (web.description, web.cpu) == ("new", 1)
    text = (seen / "0").read_text()
    assert text.startswith("0o100600\n"), "there may be secrets in it"
    assert "# phase: Stopped" in text


@pytest.mark.parametrize("code", ["pass", "text = ''", "text += '# nothing\\n'"])
def test_without_changes_nothing_is_sent(bob, web, editor, code):
    editor(code)
    assert "Nothing was changed." in bob("edit", "vm", "web").stderr
    generation = web.generation
    web.refresh_from_db()
    assert web.generation == generation


def test_somebody_elses_change_is_shown_and_kept(bob, web, editor):
    meanwhile = (
        "import json, subprocess, sys\n"
        "text = text.replace('description: old', 'description: mine')\n"
        "subprocess.run([sys.executable, '-c', open({path!r}).read()], check=True)"
    )
    other = bob.home / "other.py"
    other.write_text(
        "import os, subprocess, sys\n"
        r"os.environ['EDITOR'] = 'sed -i s/^display_name:.*/display_name:\\ theirs/;s/^description:.*/description:\\ theirs/'"
        "\n"
        "subprocess.run([sys.executable, '-m', 'cli', 'edit', 'vm/web'], check=True, stderr=subprocess.DEVNULL)\n"
    )
    seen = editor(meanwhile.format(path=str(other)), "text = text.replace('description: mine', 'description: both')")
    done = bob("edit", "vm/web")
    assert done.returncode == 0, done.stderr
    second = (seen / "1").read_text()
    assert "Somebody changed it while you did" in second
    assert "they made it 'theirs', you want 'mine'" in second
    web.refresh_from_db()
    assert (web.description, web.display_name) == ("both", "theirs")


def test_a_refusal_opens_the_editor_again_and_keeps_the_text(bob, web, editor):
    seen = editor("text = text.replace('cpu: 1', 'cpu: 99')", "pass")
    told = bob.refused(6, "edit", "vm/web")
    assert "The quota does not allow it." in told
    assert "cpu at vdc dev" in (seen / "1").read_text()
    assert "cpu: 99" in kept(told)
    editor("text = text.replace('cpu: 1', 'cpu: 99')", "text = text.replace('cpu: 99', 'cpu: 2')")
    for path in seen.iterdir():
        path.unlink()
    assert "changed: cpu" in bob("edit", "vm/web").stderr


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("text = text.replace('cpu: 1', 'cpu: [')", "is no YAML"),
        ("text = text.replace('name: web', 'name: other', 1)", "name can't be changed"),
        ("text += 'colour: red\\n'", "colour can't be changed"),
    ],
)
def test_a_text_that_is_none(bob, web, editor, code, told):
    editor(code, "pass")
    refused = bob.refused(2, "edit", "vm/web")
    assert told in refused
    kept(refused)


def test_an_editor_that_fails_or_is_not_there(bob, web):
    bob.env = {"EDITOR": "false"}
    assert "The editor ended with 1. Nothing was changed." in bob.refused(1, "edit", "vm/web")
    bob.env = {"EDITOR": "no-such-editor"}
    assert "can't be started" in bob.refused(1, "edit", "vm/web")


def test_an_edit_can_be_tried(bob, web, editor):
    editor("text = text.replace('cpu: 1', 'cpu: 2')")
    assert "cpu: 1 → 2" in bob.ok("edit", "vm/web", "--dry-run")
    assert json.loads(bob.ok("get", "vm/web", "-o", "json"))["cpu"] == 1
    assert "can't be edited" in bob.refused(2, "edit", "item/jammy")
