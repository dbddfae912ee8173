"""What people were told against the database: a promise is kept, a refusal left nothing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tests.chaos.picture import Picture, Row
from tests.chaos.record import Record, Told

FIELDS = ("display_name", "cpu", "memory_mib", "power_state")


def promised_is_there(picture: Picture, record: Record) -> list[str]:
    """Every VM and VDC that somebody was told is made is there, unless its deletion was asked for; and as told last."""
    found: list[str] = []
    vms = {str(row.id): row for row in picture.of_kind("vm")}
    vdcs = {str(row.id): row for row in picture.of_kind("vdc")}
    ended = {told.target for told in record.all("delete_vm", "delete_vdc") if told.accepted or told.lost}
    for told in record:
        if told.accepted and told.sent.get("image_url"):
            pk, where = told.body["id"], told.sent["vdc"]
            if pk not in vms and not {pk, where} & ended:
                found.append(
                    f"operation {told.operation.number}: VM {told.body['name']} ({pk}) was accepted and is not there"
                )
        elif told.accepted and told.operation.verb == "create_vdc" and told.body["id"] not in {*vdcs, *ended}:
            found.append(f"operation {told.operation.number}: VDC {told.body['name']} was accepted and is not there")
        elif told.accepted and told.operation.verb in ("delete_vm", "delete_vdc"):
            row = vms.get(told.target) or vdcs.get(told.target)
            if row is not None and not row.deleting:
                found.append(f"operation {told.operation.number}: the deletion of {row} was accepted and forgotten")
        elif told.status == 0:
            found.append(f"operation {told.operation.number} ({told.operation.verb}) was never answered")
    by_vm = _by_vm(record)
    found += [text for pk, row in vms.items() for text in _as_told(picture, row, by_vm[pk])]
    return found


def _by_vm(record: Record) -> Mapping[str, list[Told]]:
    by_vm: dict[str, list[Told]] = defaultdict(list)
    for told in record:
        if told.sent.get("image_url"):
            if told.accepted:
                by_vm[told.body["id"]].append(told)
        else:
            by_vm[told.target].append(told)
    return by_vm


def _as_told(picture: Picture, row: Row, about: list[Told]) -> Iterator[str]:
    """The answer of the highest generation is the last word, but for what was never answered or done in the cluster."""
    answers = [told.body for told in about if told.accepted and "generation" in told.body]
    if not answers:
        yield f"{row} is there, and nobody was told that it was made"
        return
    last = max(answers, key=lambda body: body["generation"])
    if row.row.generation < last["generation"]:
        yield f"{row}: generation {row.row.generation}, and somebody was told of {last['generation']}"
    for name in FIELDS:
        have = getattr(row.row, name)
        later = row.row.generation > last["generation"]
        if have != last[name] and not (
            later and (_was_unheard(name, have, about) or _came_otherwise(picture, row, name))
        ):
            yield f"{row}: {name} is {have!r}, and the last who was told was told {last[name]!r}"


def _was_unheard(name: str, value: Any, about: list[Told]) -> bool:
    """Somebody asked for just that and never got an answer to one of his attempts."""
    for told in (item for item in about if item.lost):
        if told.sent.get(name) == value:
            return True
        if name == "power_state" and told.operation.verb == f"power_{value}":
            return True
    return False


def _came_otherwise(picture: Picture, row: Row, name: str) -> bool:
    """By an order that accepts a size, or by a power change in the cluster: the audit log has it."""
    return any(
        name in entry.after and (entry.action == "vm.order" or "changed_in" in entry.after)
        for entry in picture.audit
        if entry.object_id == row.id and entry.outcome == "done" and entry.after
    )


def refused_left_nothing(picture: Picture, record: Record) -> list[str]:
    """Each creation carries its operation's number: no row has that of one that was refused."""
    refused = {
        f"operation {told.operation.number}": told for told in record if told.refused and told.sent.get("image_url")
    }
    return [
        f"{row} was made by {row.row.description}, which was refused: {refused[row.row.description].body}"
        for row in picture.of_kind("vm")
        if row.row.description in refused
    ]
