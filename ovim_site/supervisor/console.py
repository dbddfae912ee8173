"""What the person at the terminal sees."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from ovim_site.supervisor.demo import DemoError, SignIns
from ovim_site.supervisor.site import Site

COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)


def say(line: str) -> None:
    print(line, flush=True)


def complain(line: str) -> None:
    sys.stdout.flush()
    print(f"ovim: {line}", file=sys.stderr, flush=True)


def summary(site: Site) -> str:
    """Where everything is, once it runs."""
    lines = ["", f"OVIM runs at {site.public_url}", ""]
    try:
        people = SignIns.read(site.sign_ins).people
        width = max((len(person["username"]) for person in people), default=0)
        lines += [f"  {p['username']:<{width}}  {p['password']}  {p.get('role', '')}" for p in people]
    except DemoError as error:
        lines.append(f"  {error}")
    return "\n".join(
        [
            *lines,
            "",
            f"  {_command('ovim')} login --server {site.public_url} --username bob    then: {_command('ovim')} get vms",
            f"  {_command('kubectl')} --kubeconfig {shlex.quote(_short(site.kubeconfig))} get vm -A",
            f"  logs in {_short(site.var.folder / 'log')}, everything else in {_short(site.var.folder)}",
            "",
        ]
    )


def _command(name: str) -> str:
    """As it can be typed here: by its path when it is installed beside our Python only."""
    beside = Path(sys.executable).parent / name
    return shlex.quote(_short(beside)) if beside.exists() else name


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


class Merged:
    """Every part's log on one screen, each line with its part's name in a colour of its own."""

    def __init__(self, logs: Iterable[Path]) -> None:
        self._read: dict[Path, int] = dict.fromkeys(logs, 0)
        self._width = max((len(log.stem) for log in self._read), default=0)
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def pump(self) -> None:
        for number, log in enumerate(self._read):
            for line in self._fresh(log):
                print(f"{self._name(number, log)} {line}")
        sys.stdout.flush()

    def _fresh(self, log: Path) -> list[str]:
        """Whole lines only: half of one is left for the next look."""
        try:
            with log.open("rb") as file:
                file.seek(self._read[log])
                whole = file.read().rpartition(b"\n")[0]
        except FileNotFoundError:
            return []
        self._read[log] += len(whole) + 1 if whole else 0
        return whole.decode(errors="replace").splitlines()

    def _name(self, number: int, log: Path) -> str:
        name = f"{log.stem:<{self._width}} |"
        return f"\x1b[{COLOURS[number % len(COLOURS)]}m{name}\x1b[0m" if self._colour else name
