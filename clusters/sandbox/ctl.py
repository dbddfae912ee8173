"""ctl: orders faults from a running sandbox and shows what is inside."""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from typing import Any


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="python -m clusters.sandbox ctl")
    out.add_argument("--server", required=True)
    out.add_argument("--token", required=True)
    verbs = out.add_subparsers(dest="verb", required=True)
    fault = verbs.add_parser("fault", help="the next N matching requests fail")
    fault.add_argument("action", choices=["status", "reset", "lost", "latency"])
    fault.add_argument("--count", type=int, default=1, help="how many requests; -1: until cleared")
    fault.add_argument("--method", default="")
    fault.add_argument("--path", default="", help="regular expression")
    fault.add_argument("--resource", default="", help="plural, as in the URL")
    fault.add_argument("--name", default="")
    fault.add_argument("--code", type=int, default=500)
    fault.add_argument("--message", default="injected fault")
    fault.add_argument("--retry-after", type=int, default=0)
    fault.add_argument("--delay-ms", type=int, default=0)
    for verb in ("drop", "stall", "release"):
        watches = verbs.add_parser(verb, help=f"{verb} watches")
        watches.add_argument("--resource", help="key such as pods or virtualmachines.kubevirt.io; all without it")
    compact = verbs.add_parser("compact", help="older versions are expired")
    compact.add_argument("--resource")
    verbs.add_parser("clear", help="no more faults")
    verbs.add_parser("show", help="objects by kind, faults, watches")
    return out


def order(options: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    """Method, path and body of the request behind a verb."""
    if options.verb == "show":
        return "GET", "show", {}
    if options.verb == "fault":
        names = ("action", "count", "method", "path", "resource", "name", "code", "message", "retry_after", "delay_ms")
        return "POST", "faults", {name: getattr(options, name) for name in names}
    resource = {"resource": options.resource} if getattr(options, "resource", None) else {}
    if options.verb in {"drop", "stall", "release"}:
        return "POST", f"watches/{options.verb}", resource
    return "POST", options.verb, resource


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    method, path, body = order(options)
    request = urllib.request.Request(  # noqa: S310 - the server is the operator's own
        f"{options.server.rstrip('/')}/_sandbox/{path}",
        method=method,
        data=json.dumps(body).encode() if method == "POST" else None,
        headers={"Authorization": f"Bearer {options.token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            print(json.dumps(json.load(answer), indent=2))
    except urllib.error.URLError as problem:
        print(f"ctl: {problem}", file=sys.stderr)
        return 1
    return 0
