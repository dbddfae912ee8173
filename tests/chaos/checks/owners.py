"""Nothing is orphaned: what carries our claim is in the inventory of a row that is there, and the other way round."""

from clusters.refs import KINDS, Ref
from tests.chaos.picture import Picture, is_ours, rows_of


def every_object_has_its_row(picture: Picture) -> list[str]:
    """Also kinds that OVIM does not know: anything that our label and our own apply say is ours."""
    known = {str(item.uid) for item in picture.inventory}
    found = {live["metadata"]["uid"]: live for live in (*picture.live.values(), *picture.marked) if is_ours(live)}
    orphans = [live for uid, live in found.items() if uid not in known]
    return [
        f"{live['kind']} {live['metadata'].get('namespace', '')}/{live['metadata']['name']} is OVIM's and in no inventory"
        for live in orphans
        if not live["metadata"]["name"].startswith("ovim:")  # definitions and roles, installed with OVIM itself
    ]


def every_row_has_its_objects(picture: Picture) -> list[str]:
    """The inventory says what is there: each item has a row, and the object has its uid."""
    found = []
    rows = rows_of(picture.inventory)
    seen = {row.id: row for row in picture.rows}
    for item in picture.inventory:
        ref = Ref(item.group, item.kind, item.namespace, item.name)
        if rows[item.owner_kind, item.owner_id] is None:
            found.append(f"{ref} is in the inventory of {item.owner_kind} {item.owner_id}, which is gone")
            continue
        row = seen.get(item.owner_id)
        if row is None or row.troubles or row.deleting:
            continue  # another picture's, or the row owns up to it
        live = picture.live.get(ref) if (item.group, item.kind) in KINDS else None
        uid = live["metadata"]["uid"] if live else None
        if uid == str(item.uid):
            continue
        if (
            item.kind == "DataVolume"
            and live is None
            and Ref("", "PersistentVolumeClaim", item.namespace, item.name) in picture.live
        ):
            continue  # spent: its volume is the disk
        found.append(f"{ref} is in the inventory with uid {item.uid}, live it has {uid}")
    return found
