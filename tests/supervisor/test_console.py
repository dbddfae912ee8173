"""What `make dev` and `make demo` show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ovim_site.supervisor.console import Merged, summary
from ovim_site.supervisor.site import read_site
from ovim_site.supervisor.var import Var


def test_logs_are_merged_line_by_line_under_their_parts_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web, worker = tmp_path / "web.log", tmp_path / "worker.log"
    merged = Merged([web, worker])
    merged.pump()
    web.write_text("GET /\nhalf a li")
    worker.write_text("\nü\n")
    merged.pump()
    with web.open("a") as file:
        file.write("ne\n")
    merged.pump()
    merged.pump()
    assert capsys.readouterr().out.splitlines() == ["web    | GET /", "worker | ", "worker | ü", "web    | half a line"]


def test_the_summary_names_address_sign_ins_and_the_next_commands(tmp_path: Path) -> None:
    var = Var(tmp_path / "var")
    var.open()
    site = read_site(var, {})
    people = [{"username": "dana", "password": "s3cret", "role": "user of acme-corp/dev"}]
    site.sign_ins.write_text(json.dumps({"demo_user": "dana", "sign_ins": people}))
    said = summary(site)
    assert f"OVIM runs at {site.public_url}" in said
    assert "dana  s3cret  user of acme-corp/dev" in said
    assert f"--kubeconfig {site.kubeconfig}" in said
    var.close()
