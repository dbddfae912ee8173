"""managedFields: who owns which field after a write (k8s-replay 02, k8s-transcript 04).

Update managers come from POST, PUT and patches, Apply managers from server-side apply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clusters.sandbox import applied, typed
from clusters.sandbox import fields as fs
from clusters.sandbox.errors import ApiError, error
from clusters.sandbox.fields import Fields
from clusters.sandbox.schema import Node

Object = dict[str, Any]
BEFORE_FIRST_APPLY = "before-first-apply"


@dataclass(frozen=True, slots=True)
class Owner:
    """Identity of an entry. Appliers are the same manager in every API version."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    def printed(self) -> str:
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        if self.operation == "Update":
            text += f" using {self.api_version}"
        return text


@dataclass(slots=True)
class Entry:
    """Fields and the rest of an entry as stored."""

    fields: Fields
    api_version: str
    time: str


Entries = dict[Owner, Entry]


def decode(raw: Any) -> Entries:
    out: Entries = {}
    for item in raw or ():
        version = item.get("apiVersion", "")
        operation = item.get("operation", "")
        owner = Owner(
            item.get("manager", ""), operation, "" if operation == "Apply" else version, item.get("subresource", "")
        )
        out[owner] = Entry(item.get("fieldsV1") or {}, version, item.get("time", ""))
    return out


def encode(entries: Entries) -> list[Object]:
    """Sorted as the server does: appliers first, then by time, then by name."""
    order = sorted(entries.items(), key=lambda pair: (pair[0].operation, pair[1].time, pair[0].manager))
    out = []
    for owner, entry in order:
        item: Object = {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": entry.api_version,
            "time": entry.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": entry.fields,
        }
        if owner.subresource:
            item["subresource"] = owner.subresource
        out.append(item)
    return out


def is_reset(raw: Any) -> bool:
    """`managedFields: [{}]` is how a client clears them; an empty list does it, too."""
    return isinstance(raw, list) and (not raw or (len(raw) == 1 and not raw[0]))


def readable(raw: list[Object]) -> bool:
    """Whether the server can make anything of what a client wrote; otherwise it keeps what it had."""
    return all(entry.get("operation") in {"Apply", "Update"} and entry.get("fieldsType") == "FieldsV1" for entry in raw)


def bare(obj: Object) -> Object:
    """The document as ownership sees it: without managedFields."""
    meta = obj.get("metadata")
    if meta and "managedFields" in meta:
        return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}
    return obj


@dataclass(slots=True)
class Tracker:
    """Ownership for one write to one kind."""

    node: Node
    api_version: str
    subresource: str
    has_status: bool
    now: str

    def _scope(self, fields: Fields) -> Fields:
        """What this endpoint can own: not status on the main resource, only status on /status."""
        fields = fs.stripped(fields)
        if self.subresource == "status":
            return {"f:status": fields["f:status"]} if "f:status" in fields else {}
        return fs.without(fields, "f:status") if self.has_status else fields

    def created(self, obj: Object, manager: str) -> list[Object]:
        """Ownership after a POST: everything in the (defaulted) object; nothing where it does not fit the schema."""
        if self._unreadable(obj):
            return []
        empty = self._empty(obj)
        return encode(self._update(empty, obj, {}, manager))

    def updated(self, live: Object, new: Object, manager: str) -> list[Object]:
        """Ownership after PUT or patch; an untracked object stays untracked."""
        raw = new.get("metadata", {}).get("managedFields")
        old_raw = live["metadata"].get("managedFields")
        if is_reset(raw):
            entries: Entries = {}
        else:
            entries = decode(raw if raw and not self.subresource and readable(raw) else old_raw)
        if not entries or self._unreadable(new):
            return []
        return encode(self._update(bare(live), bare(new), entries, manager))

    def _unreadable(self, obj: Object) -> bool:
        """Whether a status that this endpoint ignores, or an item without its key, leaves nothing to own."""
        if self.node.go and any(applied.KEYLESS in why for why in applied.typed_problems(self.node, obj)):
            return True
        ignored = self.has_status and not self.subresource and obj.get("status")
        return bool(ignored and applied.typed_problems(self.node, {"status": ignored}))

    def _empty(self, obj: Object) -> Object:
        """A new object of the kind as Go prints it: struct fields exist, empty."""
        top = Node("struct", fields={name: child for name, child in self.node.fields.items() if child.go})
        rest = {name: value for name, value in obj.items() if name != "metadata"}
        return {"metadata": {}, **_skeleton(top, rest)}

    def _update(self, live: Object, new: Object, entries: Entries, manager: str) -> Entries:
        compared = typed.compare(self.node, live, new)
        gained = self._scope(fs.union(compared.modified, compared.added))
        removed = self._scope(compared.removed)
        me = Owner(manager, "Update", self.api_version, self.subresource)
        out: Entries = {}
        for owner, entry in entries.items():
            left = entry.fields
            if owner != me and gained:
                left = fs.difference(left, fs.intersection(left, gained))
            left = fs.difference(left, removed)
            if left:
                out[owner] = entry if left == entry.fields else Entry(left, entry.api_version, entry.time)
        if gained:
            before = out.get(me)
            mine = fs.union(before.fields if before else {}, gained)
            if before is None or mine != before.fields:
                out[me] = Entry(mine, self.api_version, self.now)
        elif me in out and me in entries and out[me].fields != entries[me].fields:
            out[me].time = self.now
        return out

    def applied(self, live: Object | None, body: Object, manager: str, *, force: bool) -> Object:
        """The merged object with its new managedFields; raises the 409 with its causes."""
        current = bare(live) if live is not None else {}
        entries = decode(live["metadata"].get("managedFields")) if live is not None else {}
        if live is not None and not entries:
            # The server tracks what it finds under this name, so a first apply can conflict with it.
            before = Tracker(self.node, self.api_version, "", self.has_status, self.now)
            entries = before._update(before._empty(live), current, {}, BEFORE_FIRST_APPLY)
        me = Owner(manager, "Apply", "", self.subresource)
        last = entries.get(me)
        mine = self._scope(typed.to_set(self.node, body))
        merged = typed.merge(self.node, current, self._visible(body))
        others = {owner: entry for owner, entry in entries.items() if owner != me}
        if last is not None and last.fields:
            owned = mine
            for entry in others.values():
                owned = fs.union(owned, entry.fields)
            merged = typed.remove_items(self.node, merged, last.fields, owned)
        out = self._settle(current, merged, others, force=force)
        if mine:
            same = last is not None and last.fields == mine and last.api_version == self.api_version
            out[me] = last if same and last is not None else Entry(mine, self.api_version, self.now)
        meta = {**(merged.get("metadata") or {})}
        encoded = encode(out)
        if encoded:
            meta["managedFields"] = encoded
        return {**merged, "metadata": meta}

    def _visible(self, body: Object) -> Object:
        """What of an applied body this endpoint listens to."""
        if self.subresource == "status":
            return {key: value for key, value in body.items() if key in {"apiVersion", "kind", "status"}}
        if self.has_status and "status" in body:
            return {key: value for key, value in body.items() if key != "status"}
        return body

    def _settle(self, live: Object, merged: Object, others: Entries, *, force: bool) -> Entries:
        """Conflicts with other managers, then what each of them still owns."""
        compared = typed.compare(self.node, live, merged)
        changed = self._scope(fs.union(compared.modified, compared.added))
        removed = self._scope(compared.removed)
        clashes = {owner: fs.intersection(entry.fields, changed) for owner, entry in others.items()}
        clashes = {owner: fields for owner, fields in clashes.items() if fields}
        if clashes and not force:
            raise conflict_error(clashes)
        out: Entries = {}
        for owner, entry in others.items():
            left = fs.difference(entry.fields, clashes.get(owner, {}))
            left = fs.difference(left, removed)
            if left:
                out[owner] = entry if left == entry.fields else Entry(left, entry.api_version, entry.time)
        return out


ZERO_SCALARS = {"str": "", "int": 0, "int64": 0, "bool": False, "float": 0, "ios": 0, "qty": "0"}


def _skeleton(node: Node, value: Any) -> Any:
    """What Go prints even in an empty object never counts as added: structs, and fields without omitempty."""
    out: Object = {}
    if isinstance(value, dict):
        for name, item in value.items():
            child = node.fields.get(name)
            if child is None:
                continue
            if child.form == "struct" and not child.pointer:
                out[name] = _skeleton(child, item)
            elif child.always:
                out[name] = ZERO_SCALARS.get(child.scalar) if child.form == "scalar" and not child.pointer else None
    return out


def conflict_error(clashes: dict[Owner, Fields]) -> ApiError:
    """The 409 that names managers and fields."""
    listed = [(owner.printed(), path) for owner, fields in clashes.items() for path in fs.paths(fields)]
    listed.sort(key=lambda pair: pair[0])
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": path} for who, path in listed
    ]
    if len(listed) == 1:
        message = f"Apply failed with 1 conflict: conflict with {listed[0][0]}: {listed[0][1]}"
    else:
        lines = []
        for who in dict.fromkeys(who for who, _ in listed):
            lines.append(f"conflicts with {who}:")
            lines += [f"- {path}" for owner, path in listed if owner == who]
        message = f"Apply failed with {len(listed)} conflicts: " + "\n".join(lines)
    return error(409, "Conflict", message, {"causes": causes})
