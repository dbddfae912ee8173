"""What processes that stay have loaded is not looked through for garbage again and again."""

import subprocess
import sys

import pytest

STARTS = {
    "web": "import ovim_site.wsgi",
    "worker": "from celery.signals import worker_process_init; import ovim_site.celery; worker_process_init.send(None)",
}


@pytest.mark.parametrize("process", STARTS)
def test_what_a_process_has_loaded_is_kept_from_the_collector(process: str) -> None:
    told = "import gc; print(gc.get_freeze_count(), gc.get_threshold()[0])"
    ran = subprocess.run(
        [sys.executable, "-c", f"{STARTS[process]}; {told}"], capture_output=True, check=True, text=True
    )
    frozen, young = map(int, ran.stdout.split()[-2:])
    assert frozen > 10_000
    assert young >= 10_000
