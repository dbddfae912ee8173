"""The audit log has every change exactly once."""

from collections import Counter, defaultdict
from uuid import UUID

from tests.chaos.picture import Picture
from tests.chaos.record import Record

MADE = {"vm.create", "vdc.create"}
LOOKED = "support.begin"  # once a session, with whatever request came first


def every_change(picture: Picture) -> list[str]:
    """A VM's generation began at 1 and rose by one with each change: so many entries there must be, no more, no less."""
    changes: dict[UUID, int] = defaultdict(int)
    made: Counter[UUID] = Counter()
    deleted: Counter[UUID] = Counter()
    for entry in picture.audit:
        if entry.outcome != "done" or entry.object_id is None or entry.object_kind != "virtualmachine":
            continue
        if entry.action in MADE:
            made[entry.object_id] += 1
        else:
            changes[entry.object_id] += 1
            deleted[entry.object_id] += entry.action == "vm.delete"
    found = [f"VM {pk} was made {count} times by the audit log" for pk, count in made.items() if count > 1]
    found += [f"VM {pk} was deleted {count} times by the audit log" for pk, count in deleted.items() if count > 1]
    for row in picture.of_kind("vm"):
        if made[row.id] != 1:
            found.append(f"{row}: {made[row.id]} entries say that it was made")
        if row.row.generation != 1 + changes[row.id]:
            found.append(f"{row}: generation {row.row.generation}, and {changes[row.id]} entries tell of changes")
    return found


def once(picture: Picture, record: Record) -> list[str]:
    """By request id: what was acknowledged has one entry (a cascade one for each row), an attempt never two of a row."""
    by_request: dict[str, list[tuple[str, UUID | None]]] = defaultdict(list)
    for entry in picture.audit:
        if entry.outcome == "done" and entry.action != LOOKED:
            by_request[entry.request_id].append((entry.action, entry.object_id))
    found = []
    for told in record:
        entries = [item for request_id in told.request_ids for item in by_request[request_id]]
        operation = told.operation
        twice = [item for item, count in Counter(entries).items() if count > 1]
        if twice and not told.lost:
            found.append(f"operation {operation.number} ({operation.verb}) is audited twice: {twice}")
        if told.accepted and told.sent.get("image_url") and len(entries) != 1:
            found.append(f"operation {operation.number} made a VM and has {len(entries)} entries: {entries}")
        if told.accepted and operation.verb == "rename_vm" and told.target and not told.lost and len(entries) != 1:
            found.append(f"operation {operation.number} renamed a VM and has {len(entries)} entries: {entries}")
        done = [item for request_id in told.denied for item in by_request[request_id]]
        if done:
            found.append(f"operation {operation.number} was put off with 429, and yet done: {done}")
        if told.refused and entries:
            found.append(f"operation {operation.number} was refused ({told.status}) and has entries: {entries}")
    return found
