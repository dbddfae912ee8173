"""`python -m tests.chaos [SEED …]`: runs the seeds one after the other on one installation. Status 0: all passed."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from tests.bench.ground import Ground
from tests.chaos.seeds import KEPT

MOST_SHOWN = 40


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    out.add_argument("seeds", type=int, nargs="*", default=[1, 2, 3])
    out.add_argument("--operations", type=int, default=1000)
    out.add_argument("--users", type=int, default=20)
    out.add_argument("--kept", action="store_true", help="the seeds that once failed, each as long as it was then")
    out.add_argument("--logs", type=Path, help="copy the parts' logs here when a seed fails")
    return out


def say(text: str) -> None:
    print(text, flush=True)


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    drawn = [(kept.seed, kept.operations) for kept in KEPT if options.kept]
    drawn = drawn if options.kept else [(seed, options.operations) for seed in options.seeds]
    passed = []
    with Ground(OVIM_SANDBOX_PACE="fast", OVIM_RATE_LIMIT_USER="0", OVIM_RATE_LIMIT_ADDRESS="0") as ground:
        from tests.chaos.installation import Installation  # Django is loaded by now, with the ground's environment

        installation = Installation(ground, users=options.users)
        for seed, operations in drawn:
            began = time.monotonic()
            outcome = installation.run(seed, operations=operations)
            verdict = "passed" if outcome.passed else f"FAILED, {len(outcome.differences)} differences"
            say(
                f"seed {seed} {verdict}: {time.monotonic() - began:.0f} s "
                f"(storm {outcome.storm_seconds:.0f} s, converged in {outcome.calm_seconds:.1f} s)"
            )
            say("  " + ", ".join(f"{name} {value}" for name, value in outcome.counts.items()))
            for text in outcome.differences[:MOST_SHOWN]:
                say(f"  - {text}")
            passed += [seed] if outcome.passed else []
            if options.logs and not outcome.passed:
                ground.keep_logs(options.logs / f"seed-{seed}")
                told = orjson.dumps(outcome.evidence, default=str, option=orjson.OPT_INDENT_2)
                (options.logs / f"seed-{seed}" / "evidence.json").write_bytes(told)
    say(f"{len(passed)} of {len(drawn)} seeds passed")
    return 0 if len(passed) == len(drawn) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
