"""ctl: orders faults from a running sandbox and shows what is inside."""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from clusters.sandbox.controls import YEAR_SECONDS

MACHINERY = {
    "guest": ("action", "target"),
    "node": ("state", "name", "grace"),
    "image": ("state", "image"),
    "import": ("action", "target"),
    "clock": ("offset",),
    "virt-api": ("state",),
    "unread": ("seconds",),
}


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="python -m clusters.sandbox ctl")
    out.add_argument("--server", required=True)
    out.add_argument("--token", required=True)
    out.add_argument("--ca", type=Path, help="PEM file that its certificate is checked by; needed with --tls")
    verbs = out.add_subparsers(dest="verb", required=True)
    fault = verbs.add_parser("fault", help="the next N matching requests fail")
    fault.add_argument("action", choices=["status", "reset", "lost", "latency", "webhook"])
    fault.add_argument("--count", type=int, default=1, help="how many requests; -1: until cleared")
    fault.add_argument("--method", default="")
    fault.add_argument("--path", default="", help="regular expression")
    fault.add_argument("--resource", default="", help="plural, as in the URL")
    fault.add_argument("--name", default="", help="of the object; with webhook, of the webhook")
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
    unread = verbs.add_parser("unread", help="roles and bindings are not known for a while, as after a start")
    unread.add_argument("seconds", type=float, help="how long only system:masters may do anything")
    user = verbs.add_parser("kubeconfig", help="of a user, by a client certificate that is made now; needs --tls")
    user.add_argument("name", help="of the user: the certificate's common name")
    user.add_argument("--group", dest="groups", action="append", default=[], help="an organization of it; repeatable")
    user.add_argument("--lasting-seconds", type=int, default=YEAR_SECONDS, help="negative: it is over already")
    _machinery(verbs)
    return out


def _machinery(verbs: Any) -> None:
    """Verbs that KubeVirt and CDI obey, not the API server."""
    guest = verbs.add_parser("guest", help="what a guest does to itself")
    guest.add_argument("action", choices=["shutdown", "crash", "panic", "reboot", "break", "mend"])
    guest.add_argument("target", help="NAMESPACE/NAME of the machine")
    node = verbs.add_parser("node", help="a node falls silent or comes back")
    node.add_argument("state", choices=["lost", "back"])
    node.add_argument("name")
    node.add_argument("--grace", type=float, help="seconds until the node is given up; negative: never")
    image = verbs.add_parser("image", help="a container image that can't be pulled")
    image.add_argument("state", choices=["missing", "back"])
    image.add_argument("image")
    transfer = verbs.add_parser("import", help="a DataVolume's transfer stalls or goes on")
    transfer.add_argument("action", choices=["stall", "release"])
    transfer.add_argument("target", help="NAMESPACE/NAME of the DataVolume")
    clock = verbs.add_parser("clock", help="the controllers' clock jumps")
    clock.add_argument("offset", type=float, help="seconds ahead of the real time; 0 sets it right")
    virt_api = verbs.add_parser("virt-api", help="KubeVirt's webhooks and subresources")
    virt_api.add_argument("state", choices=["up", "down"])
    verbs.add_parser("vms", help="every machine and its state")


def order(options: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    """Method, path and body of the request behind a verb."""
    if options.verb in {"show", "vms"}:
        return "GET", options.verb, {}
    if options.verb in MACHINERY:
        body = {name: getattr(options, name) for name in MACHINERY[options.verb]}
        if "target" in body:
            body["namespace"], _, body["name"] = body.pop("target").partition("/")
        return "POST", options.verb, body
    if options.verb == "fault":
        names = ("action", "count", "method", "path", "resource", "name", "code", "message", "retry_after", "delay_ms")
        return "POST", "faults", {name: getattr(options, name) for name in names}
    if options.verb == "kubeconfig":
        body = {name: getattr(options, name) for name in ("server", "name", "groups", "lasting_seconds")}
        return "POST", options.verb, body | {"ca": options.ca.read_text() if options.ca else ""}
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
    trust = ssl.create_default_context(cafile=options.ca)
    try:
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:  # noqa: S310
            print(json.dumps(json.load(answer), indent=2))
    except urllib.error.HTTPError as refusal:
        print(f"ctl: {json.load(refusal).get('message', refusal)}", file=sys.stderr)
        return 1
    except urllib.error.URLError as problem:
        print(f"ctl: {problem}", file=sys.stderr)
        return 1
    return 0
