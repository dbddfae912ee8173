"""Jobs and cron jobs."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import label_problems, selector_errors
from clusters.sandbox.rules_addresses import unsupported
from clusters.sandbox.rules_containers import NEGATIVE, invalid
from clusters.sandbox.rules_pods import template
from clusters.sandbox.selectors import matches_selector
from clusters.sandbox.store import Store

Object = dict[str, Any]
COUNTS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
    "backoffLimitPerIndex", "maxFailedIndexes",
)  # fmt: skip
INDEXED = "Indexed"
LONGEST_CRON_JOB = 52  # the controller puts eleven characters behind the name
SETTLED = ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
ZONE = re.compile(r"[A-Za-z0-9._+-]+\Z")
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("dom", 1, 31), ("month", 1, 12), ("dow", 0, 6))
SHORT_SCHEDULES = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "dow": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}


def job(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors = [] if old is not None else _generated(new)
    errors += job_spec(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        errors.append(FieldError("Required value", "spec.selector"))
    wrong = selector_errors(selector, "spec.selector")
    errors += wrong
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if not wrong and (selector is None or not matches_selector(selector, {"metadata": {"labels": labels or {}}})):
        text = "`selector` does not match template `labels`"
        shown = dict(sorted(labels.items())) if labels else None
        errors.append(invalid("spec.template.metadata.labels", shown, text))
    if old is not None:
        errors += _kept(spec, old)
    return errors


def _generated(new: Object) -> list[FieldError]:
    """The labels that the server gives a job's pods may be given to them by nobody else."""
    spec, meta = new["spec"], new["metadata"]
    if spec.get("manualSelector") or spec.get("selector") is None:
        return []
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    path, errors = "spec.template.metadata.labels", []
    right = {
        "controller-uid": meta["uid"],
        "batch.kubernetes.io/controller-uid": meta["uid"],
        "job-name": meta.get("name", ""),
        "batch.kubernetes.io/job-name": meta.get("name", ""),
    }
    for name, value in right.items():
        if labels.get(name) != value:
            errors.append(invalid(f"{path}[{name}]", labels.get(name, ""), f"must be '{value}'"))
    if (spec.get("selector") or {}) != {"matchLabels": {"batch.kubernetes.io/controller-uid": meta["uid"]}}:
        errors.append(invalid("spec.selector", spec.get("selector"), "`selector` not auto-generated"))
    return errors


def job_spec(spec: Object, path: str) -> list[FieldError]:
    errors = [invalid(f"{path}.{name}", spec[name], NEGATIVE) for name in COUNTS if (spec.get(name) or 0) < 0]
    mode = spec.get("completionMode")
    if mode not in {None, "NonIndexed", INDEXED}:
        errors.append(unsupported(f"{path}.completionMode", mode, ("NonIndexed", INDEXED)))
    if mode == INDEXED and spec.get("completions") is None:
        text = f"when completion mode is {INDEXED}"
        errors.append(FieldError("Required value", f"{path}.completions", text))
    if mode in {None, "NonIndexed"}:
        errors += [
            invalid(f"{path}.{name}", spec[name], "requires indexed completion mode")
            for name in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(name) is not None
        ]
    wanted = spec.get("podReplacementPolicy")
    if wanted not in {None, "Failed", "TerminatingOrFailed"}:
        errors.append(unsupported(f"{path}.podReplacementPolicy", wanted, ("Failed", "TerminatingOrFailed")))
    errors += template(spec["template"], f"{path}.template")
    policy, here = (spec["template"].get("spec") or {}).get("restartPolicy", ""), f"{path}.template.spec.restartPolicy"
    if policy in {"", "Always"}:
        errors.append(FieldError("Required value", here, 'valid values: "OnFailure", "Never"'))
    elif policy not in {"OnFailure", "Never"}:
        errors.append(unsupported(here, policy, ("OnFailure", "Never")))
    return errors


def _kept(spec: Object, old: Object) -> list[FieldError]:
    before = old["spec"]
    text, errors = "field is immutable", []
    if spec.get("completions") != before.get("completions"):
        errors.append(invalid("spec.completions", spec.get("completions"), text))
    changed = [name for name in SETTLED if spec.get(name) != before.get(name)]
    errors += [invalid(f"spec.{name}", spec.get(name), text) for name in changed]
    if spec["template"] != before["template"] and not _may_change(spec["template"], before):
        errors.append(FieldError("Invalid value", "spec.template", f"{{}}: {text}"))
    return errors


def _may_change(wanted: Object, before: Object) -> bool:
    """A suspended job's pods may be placed elsewhere."""
    if not before.get("suspend"):
        return False
    free = {"nodeSelector", "affinity", "tolerations", "schedulingGates"}
    mine, theirs = (
        {name: value for name, value in (side.get("spec") or {}).items() if name not in free}
        for side in (wanted, before["template"])
    )
    return mine == theirs


def cron_job(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec, name = new["spec"], new["metadata"].get("name", "")
    schedule, errors = spec.get("schedule", ""), []
    if not schedule:
        errors.append(FieldError("Required value", "spec.schedule"))
    else:
        errors += _schedule(schedule)
    if (spec.get("startingDeadlineSeconds") or 0) < 0:
        errors.append(invalid("spec.startingDeadlineSeconds", spec["startingDeadlineSeconds"], NEGATIVE))
    zone = spec.get("timeZone")
    if zone is not None and (old is None or old["spec"].get("timeZone") != zone):
        errors += _zone(zone)
    policy, allowed = spec.get("concurrencyPolicy", ""), ("Allow", "Forbid", "Replace")
    if policy not in allowed:
        errors.append(unsupported("spec.concurrencyPolicy", policy, allowed))
    errors += job_spec(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")
    for limit in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        if (spec.get(limit) or 0) < 0:
            errors.append(invalid(f"spec.{limit}", spec[limit], NEGATIVE))
    if old is None and len(name) > LONGEST_CRON_JOB:
        errors.append(invalid("metadata.name", name, f"must be no more than {LONGEST_CRON_JOB} characters"))
    return errors


def _schedule(schedule: str) -> list[FieldError]:
    path = "spec.schedule"
    rest = schedule.partition(" ")[2].strip() if schedule.startswith(("TZ=", "CRON_TZ=")) else schedule
    why = _unparsed(rest)
    errors = [invalid(path, schedule, why)] if why else []
    if "TZ" in schedule:
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        errors.append(invalid(path, schedule, text))
    return errors


def _unparsed(schedule: str) -> str:
    """Why a schedule is none, in the words of the parser that the server uses."""
    if schedule.startswith("@"):
        if schedule in SHORT_SCHEDULES or schedule.startswith("@every "):
            return ""
        return f"unrecognized descriptor: {schedule}"
    parts = schedule.split()
    if len(parts) != len(FIELDS):
        return f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]"
    for part, (name, low, high) in zip(parts, FIELDS, strict=True):
        for one in part.split(","):
            why = _range(one, name, low, high)
            if why:
                return why
    return ""


def _range(text: str, name: str, low: int, high: int) -> str:
    ends, _, step = text.partition("/")
    first, _, last = ends.partition("-")
    if first in {"*", "?"}:
        return _step(step, text)
    numbers = []
    for value in filter(None, (first, last)):
        known = NAMES.get(name, ())
        if value.lower() in known:
            numbers.append(known.index(value.lower()) + low)
        elif value.isdigit():
            numbers.append(int(value))
        else:
            return f'failed to parse int from {value}: strconv.Atoi: parsing "{value}": invalid syntax'
    if not numbers:
        return f'failed to parse int from {first}: strconv.Atoi: parsing "{first}": invalid syntax'
    if numbers[0] < low:
        return f"beginning of range ({numbers[0]}) below minimum ({low}): {text}"
    if numbers[-1] > high:
        return f"end of range ({numbers[-1]}) above maximum ({high}): {text}"
    if numbers[0] > numbers[-1]:
        return f"beginning of range ({numbers[0]}) beyond end of range ({numbers[-1]}): {text}"
    return _step(step, text)


def _step(step: str, text: str) -> str:
    if step and not step.isdigit():
        return f'failed to parse int from {step}: strconv.Atoi: parsing "{step}": invalid syntax'
    return f"step of range should be a positive number: {text}" if step and not int(step) else ""


def _zone(zone: str) -> list[FieldError]:
    path = "spec.timeZone"
    if not zone:
        return [invalid(path, zone, "timeZone must be nil or non-empty string")]
    parts = zone.split("/")
    if any(part in {".", ".."} or part.startswith("-") or not ZONE.match(part) for part in parts):
        return [invalid(path, zone, f"unknown time zone {zone}")]
    errors: list[FieldError] = []
    if zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        errors.append(invalid(path, zone, text))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        errors.append(invalid(path, zone, f"unknown time zone {zone}"))
    return errors


def generate(obj: Object) -> None:
    """The labels and the selector by which a new job finds its pods (in place)."""
    spec, meta = obj["spec"], obj["metadata"]
    if spec.get("manualSelector"):
        return
    inner = spec["template"].setdefault("metadata", {})
    shared = bool(inner.get("labels")) and meta.get("labels") == inner["labels"]
    labels = inner["labels"] = dict(inner.get("labels") or {})
    for name in ("job-name", "batch.kubernetes.io/job-name"):
        labels.setdefault(name, meta.get("name", ""))
    for name in ("controller-uid", "batch.kubernetes.io/controller-uid"):
        labels.setdefault(name, meta["uid"])
    if shared:  # the job has its labels from its pods
        meta["labels"] = dict(labels)
    selector = spec.setdefault("selector", {})
    selector.setdefault("matchLabels", {}).setdefault("batch.kubernetes.io/controller-uid", meta["uid"])


def name_warnings(obj: Object) -> list[str]:
    problems = label_problems(obj["metadata"].get("name", ""))
    if not problems:
        return []
    text = "this is used in Pod names and hostnames, which can result in surprising behavior; "
    return [f"metadata.name: {text}a DNS label is recommended: [{' '.join(problems)}]"]
