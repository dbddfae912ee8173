"""Schedules in cron's five fields: when the next run is due. Minutes, hours, days, months and weekdays, by UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
HORIZON = timedelta(days=366 * 5)


def _field(text: str, low: int, high: int) -> set[int]:
    out: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = int(first)
            end = int(last) if last else (high if step else start)
        if not low <= start <= end <= high or (step and int(step) < 1):
            raise ValueError(f"bad schedule field {text!r}")
        out.update(range(start, end + 1, int(step) if step else 1))
    return out


def parse(schedule: str) -> list[set[int]]:
    """The allowed values per field; raises ValueError."""
    fields = MACROS.get(schedule.strip(), schedule).split()
    if len(fields) != len(BOUNDS):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    parsed = [_field(text, *bounds) for text, bounds in zip(fields, BOUNDS, strict=True)]
    if 7 in parsed[4]:
        parsed[4].add(0)  # Sunday has two numbers
    return parsed


def next_run(schedule: str, after: datetime) -> datetime | None:
    """The first minute after that moment that matches; None when none does within five years."""
    minutes, hours, days, months, weekdays = parse(schedule)
    fields = MACROS.get(schedule.strip(), schedule).split()
    either = fields[2] != "*" and fields[4] != "*"  # cron's rule: with both restricted, one of them suffices
    moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    end = after + HORIZON
    while moment < end:
        day, weekday = moment.day in days, moment.isoweekday() % 7 in weekdays
        if moment.month not in months or not ((day or weekday) if either else (day and weekday)):
            moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
        elif moment.hour not in hours:
            moment = moment.replace(minute=0) + timedelta(hours=1)
        elif moment.minute not in minutes:
            moment += timedelta(minutes=1)
        else:
            return moment
    return None
