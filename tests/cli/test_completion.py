"""Tab: in a real bash, with the names that the server knows; and never a word on the terminal when something is wrong."""

import shutil
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, Ovim
from tests.domain import a_vm


@pytest.fixture
def complete(bob: Ovim):
    """`complete("ovim get v")` → what Tab offers, in bash, through the script that `ovim completion bash` prints."""
    program = bob.home / "bin" / "ovim"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m cli "$@"\n')
    program.chmod(0o755)

    def ask(line: str) -> list[str]:
        words = line.split(" ")
        array = " ".join(f"'{word}'" for word in words)
        script = (
            f"PATH={program.parent}:$PATH; source <(ovim completion bash); complete -p ovim >/dev/null || exit 9\n"
            f"COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; COMPREPLY=()\n"
            f"_ovim_completion ovim '{words[-1]}' '{words[-2]}'\n"
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", script],
            env=bob.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout.split()

    return ask


def test_verbs_kinds_and_names(complete, bob, vdc, item):
    for name in ("web", "worker"):
        bob.ok("create", "vm", name, "--vdc", "dev", "--item", "jammy")
    a_vm(vdc, "wanted-by-others")
    assert complete("ovim de") == ["delete", "describe"]
    assert complete("ovim get v") == ["vms", "vdcs"]
    assert complete("ovim stop vm w") == ["web", "worker"], "what bob may not see is not offered"
    assert complete("ovim stop vm web w") == ["worker"]
    assert complete("ovim describe vm/we") == ["vm/web"]
    assert complete("ovim get vm dev/wo") == ["dev/worker"]
    assert "--dry-run" in complete("ovim delete --d")


def test_nothing_is_said_when_there_is_no_server(complete, bob):
    bob.ok("config", "set-context", "--server", "http://127.0.0.1:1")
    assert complete("ovim stop vm w") == []
    (bob.files / "contexts.json").write_text("{")
    assert complete("ovim stop vm w") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one(ovim, shell):
    script = ovim.ok("completion", shell)
    assert "ovim" in script
    assert f"{shell}_complete" in script
    program = shutil.which(shell)
    if program is None:
        return  # its script was made; only that shell could say more
    done = subprocess.run([program, "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_contexts_are_completed(complete, bob, server):
    assert complete("ovim config use-context 127") == [server.removeprefix("http://")]
