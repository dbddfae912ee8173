"""What ends a command before it is done: an exit code and sentences for a person. The codes are documented in docs/cli.md."""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any

GIB_IN_MIB = 1024


class Exit(IntEnum):
    """The exit codes that scripts may rely on."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    CONFLICT = 5
    QUOTA = 6
    UNREACHABLE = 7
    TIMEOUT = 8
    DIFFERENT = 9
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class CliError(Exception):
    """Ends the command. `lines`: what is printed on stderr, the first of them after "Error: "."""

    def __init__(self, code: Exit, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.code, self.lines = code, lines


class PipeClosed(Exception):
    """Whoever read our output has had enough (`ovim get vms | head -1`): nothing is wrong."""


class Problem(CliError):
    """An answer of the server that refuses (RFC 9457). The server's own sentence comes first."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status, self.body = status, body
        super().__init__(_exit_code(status, self.name), *told(status, body))

    @property
    def name(self) -> str:
        """The problem's stable code: not_found, quota_exceeded, …"""
        return str(self.body.get("code", ""))


_BY_STATUS = {
    401: Exit.NOT_ALLOWED,
    403: Exit.NOT_ALLOWED,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    502: Exit.UNREACHABLE,
    503: Exit.UNREACHABLE,
    504: Exit.UNREACHABLE,
}


def _exit_code(status: int, code: str) -> Exit:
    return Exit.QUOTA if code == "quota_exceeded" else _BY_STATUS.get(status, Exit.FAILED)


def _nowhere(_field: str) -> str:
    return ""


def told(status: int, body: Mapping[str, Any], place: Callable[[str], str] = _nowhere) -> list[str]:
    """The refusal in lines. `place`: field → where it stands in the file that it came from ("vm.yaml:7: ")."""
    detail = str(body.get("detail") or body.get("title") or f"The server answered with status {status}.")
    shortages = body.get("quota") or ()
    if status == 405:
        lines = [f"This server does not serve that: {detail}"]
    elif shortages:
        lines = ["The quota does not allow it.", *_quota(shortages)]
    else:
        lines = [detail, *_fields(body.get("errors") or (), place)]
    if body.get("right"):
        lines.append(f"  An admin can give you the right {body['right']} by binding you a role that has it.")
    if body.get("current") is not None:
        lines.append(f"  It is at generation {body['current']} now: look at it again.")
    if body.get("retry_after"):
        lines.append(f"Try again in {body['retry_after']} seconds.")
    if body.get("request_id"):
        lines.append(f"Request id: {body['request_id']}")
    return lines


def _fields(errors: Sequence[Mapping[str, Any]], place: Callable[[str], str]) -> list[str]:
    return [
        f"  {place(e.get('field') or '')}{e.get('field') or 'input'}: {e.get('message', '')} (rule: {e.get('rule', '')})"
        for e in errors
    ]


def _quota(shortages: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for item in shortages:
        resource = str(item["resource"])
        number = {key: amount(resource, item[key]) for key in ("limit", "used", "requested", "short_by", "fits")}
        where = f"{resource} at {item['level']} {item['scope']} ({item['ledger']})"
        lines += [
            f"  {where}: limit {number['limit']}, used {number['used']}, requested {number['requested']}",
            f"    {number['short_by']} too many; {number['fits']} would fit",
        ]
    return [*lines, *dict.fromkeys(f"  {item['who_can_change']} can raise the limit." for item in shortages)]


def amount(resource: str, value: int) -> str:
    """A whole number of the unit in the resource's name, as people write it: exact, the number kept."""
    unit = resource.partition("/")[0]
    if unit == "memory_mib":
        return f"{value // GIB_IN_MIB}Gi" if value and value % GIB_IN_MIB == 0 else f"{value}Mi"
    if unit == "disk_gib":
        return f"{value}Gi"
    return str(value)
