"""What happened, as sentences: one table for the API, the pages and the command. Pure, but for the words it is given."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.quantities import of_gibibytes, of_mebibytes
from tenancy.words import deed

# (condition, status) → (icon, tone, sentence), as apps have them for their screens.
Words = Mapping[tuple[str, str], tuple[str, str, str]]
Said = Mapping[str, Any]

# --- persons --------------------------------------------------------------------------------------------------------

_AMOUNTS: Mapping[str, Callable[[int], str]] = {
    "cpu": lambda value: f"{value} vCPU",
    "memory_mib": lambda value: f"{_spaced(of_mebibytes(value))} of memory",
    "disk_gib": lambda value: f"{_spaced(of_gibibytes(value))} of disk",
}


def _spaced(quantity: str) -> str:
    return f"{quantity[:-2]} {quantity[-2:]}B"


def act(action: str, before: Said | None, after: Said | None) -> str:
    """What somebody did, his name left out."""
    told, was = after or {}, before or {}
    amounts = [word(told[name]) for name, word in _AMOUNTS.items() if isinstance(told.get(name), int)]
    if action == "vm.create" and amounts:
        return f"made it: {', '.join(amounts)}"
    if action == "vm.edit" and amounts:
        old = [word(was[name]) for name, word in _AMOUNTS.items() if isinstance(was.get(name), int)]
        return f"asked for {_and(amounts)}" + (f", before it was {_and(old)}" if old else "")
    if action in ("vm.edit", "vdc.edit", "organization.edit") and told:
        return f"changed its {_and([name.replace('_', ' ') for name in told])}"
    return deed(action, after)


_TRIED = {"PATCH": "change it", "PUT": "change it", "DELETE": "delete it"}
_VERBS = {"start": "start it", "stop": "stop it", "order": "give an order about it", "orders": "give an order about it"}


def refusal(action: str, reason: str) -> str:
    """What somebody tried and may not, his name left out. `action` is that of an entry: method and route's name."""
    method, _, route = action.partition(" ")
    verb = route.rpartition("-")[2]
    tried = _TRIED.get(method) or _VERBS.get(verb) or f"do {action}"
    return f"tried to {tried} and was refused: {reason}"


def _and(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


# --- the system -----------------------------------------------------------------------------------------------------

_WRITES = {"create": "written", "update": "changed", "delete": "told to go"}
_FAILED_WRITES = {"create": "written", "update": "changed", "delete": "deleted"}
_PHASES = {
    "Pending": "It waits",
    "Provisioning": "It is being prepared",
    "Starting": "It is starting",
    "Active": "It is there",
    "Running": "It runs",
    "Stopping": "It is stopping",
    "Stopped": "It is stopped",
    "Paused": "It is paused",
    "Failed": "It failed",
    "Terminating": "It is being deleted",
    "Unknown": "What it does is unknown",
    "Gone": "Everything of it is gone",
}


def write(verb: str, said: Said, *, ok: bool) -> str:
    name = f"{said['kind']} {said['name']}"
    if not ok:
        return f"{name} could not be {_FAILED_WRITES[verb]}: {said['message'] or said['reason']}"
    fields = f": {_and([str(field) for field in said['fields'][:4]])}" if said["fields"] else ""
    return f"{name} {_WRITES[verb]}{fields}"


def outcome(said: Said, words: Words) -> str:
    """The phase, if it is another now, and what else is another."""
    changes = said["changes"]
    phase = str(said["phase"])
    word = _PHASES.get(phase, phase)
    parts = [word] if phase != said["was"] else []
    parts += _changed(changes, words)
    if len(parts) < 2:
        parts += [part for item in changes if item["type"] == "Ready" and (part := _cause(item["message"]))]
    return _sentence(parts or [word])


def _changed(changes: list[Said], words: Words) -> Iterator[str]:
    for item in changes:
        if item["type"] == "Ready" or (item["status"] == "False" and item["reason"] == "ImportFailed"):
            continue  # the phase says the one, the condition of its own name the other
        if item["type"] == "DiskReady" and item["status"] == "True" and "ms" in item:
            yield f"import 100 % after {seconds(item['ms'])}"
            continue
        known = words.get((item["type"], item["status"]))
        cause = _cause(item["message"])
        if known is None:
            yield cause or f"{item['type']}: {item['status']}"
        else:
            text = known[2].removesuffix(".")
            yield text if not cause or known[1] == "ok" or item["reason"] == "Importing" else f"{text} ({cause})"


def _cause(message: str) -> str:
    return room(message) or message.removesuffix(".")


def _sentence(parts: list[str]) -> str:
    first, *rest = parts
    return "; ".join([first, *(_small(part) for part in rest)])


def _small(text: str) -> str:
    """Goes on in a sentence: what is no name or abbreviation begins small."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text.startswith(("A ", "No ")) else text


def seconds(milliseconds: int) -> str:
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 10_000:
        return f"{milliseconds / 1000:.1f} s"
    if milliseconds < 120_000:
        return f"{round(milliseconds / 1000)} s"
    return f"{milliseconds // 60_000} min"


# --- the cluster ----------------------------------------------------------------------------------------------------

_NODES = re.compile(r"\b0/(\d+) nodes are available: (.*?)(?:\. |\.$|$)")
_LACK = re.compile(r"(\d+) Insufficient (memory|cpu|[\w./-]+)")
_EVENTS = {
    "Created": "The hypervisor has defined the machine",
    "ShuttingDown": "The guest was told to shut down",
    "Stopped": "The guest has shut down",
    "Pending": "Its volume waits",
}
_ABOUT = {
    ("VirtualMachineInstance", "Started"): "The guest was started",
    ("VirtualMachineInstance", "SuccessfulCreate"): "A pod was made for the guest",
    ("VirtualMachine", "SuccessfulCreate"): "KubeVirt starts the machine",
    ("VirtualMachine", "SuccessfulDelete"): "KubeVirt stops the machine",
    ("Pod", "Started"): "A container was started",
    ("Pod", "Killing"): "A container is being stopped",
    ("DataVolume", "ImportScheduled"): "The import of its disk is scheduled",
    ("DataVolume", "ImportInProgress"): "Its disk is being imported",
    ("DataVolume", "ImportSucceeded"): "Its disk is imported",
    ("PersistentVolumeClaim", "ProvisioningSucceeded"): "Its volume was made",
}


def room(message: str) -> str:
    """A scheduler's refusal in words; empty: it is none."""
    found = _NODES.search(message)
    if found is None:
        return ""
    total, lack = int(found[1]), {what: int(count) for count, what in _LACK.findall(found[2])}
    if not total:
        return "there is no node"
    if not lack:
        return f"no node takes it: {found[2]}"
    parts = [f"{count} of {total} lack {'CPU' if what == 'cpu' else what}" for what, count in sorted(lack.items())]
    return f"no node has room for it: {_and(parts)}"


def event(reason: str, said: Said) -> str:
    kind, message = said["kind"], said["message"]
    if reason == "FailedScheduling":
        return _capital(room(message) or message)
    if reason == "Scheduled" and (node := message.rpartition(" to ")[2]):
        return f"Placed on node {node}"
    if reason in ("ImportFailed", "Error") and message:
        return f"The import failed: {message}"
    return _ABOUT.get((kind, reason)) or _EVENTS.get(reason) or message or f"{kind}: {reason}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
