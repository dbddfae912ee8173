"""A dry run's plan, told to a person: the fields, the quotas before and after, what is written in the cluster."""

import json
from typing import Any

from cli.client import Client, Row
from cli.errors import CliError, Exit, amount
from cli.nouns import Noun
from cli.output import emit, plain

MODES = ("server", "cluster")
LONGEST = 100


def ask(client: Client, method: str, path: str, mode: str, **more: Any) -> Row:
    """The plan of a write. A server that does not know dry runs has done it: that is said, not hidden."""
    query = {"dry_run": "cluster" if mode == "cluster" else "true"} | more.pop("query", {})
    plan = client.ask(method, path, query=query, **more)
    if "dry_run" not in plan:
        raise CliError(Exit.FAILED, "This server knows no dry runs: IT HAS DONE what you asked for.")
    return plan


def show(plan: Row, title: str, before: Row | None = None) -> None:
    """The plan for people."""
    emit("\n".join([title, *lines(plan, before)]))


def lines(plan: Row, before: Row | None = None) -> list[str]:
    found = differences(before, plan["row"]) if before is not None and plan["row"] else []
    found += [_effect(effect) for effect in plan["quota"]]
    for change in plan["changes"]:
        found.append(plain(f"  cluster: {change['action']} {change['kind']} {change['namespace']}/{change['name']}"))
        if change["action"] != "create":  # of what is new every field would be one; -o yaml has them
            found += [f"    {_change(item)}" for item in change["differences"]]
    for verdict in plan["cluster"] or ():
        if not verdict["accepted"]:
            word = "can't be asked about" if verdict["accepted"] is None else "refuses"
            found.append(plain(f"  cluster: {word} {verdict['kind']} {verdict['name']}: {verdict['message']}"))
    if plan["restart_needed"]:
        found.append("  A running VM takes it over only when it is started anew.")
    if plan["left_off"]:
        found.append(f"  And {plan['left_off']} objects more, which the plan does not go into.")
    return found


def differences(before: Row, after: Row, fields: tuple[str, ...] = ()) -> list[str]:
    """The fields that change. Without `fields`: those of both, but not the server's own bookkeeping."""
    own = {"generation", "updated_at", "allowed_actions", "conditions", "observed_generation", "progress", "kind"}
    names = fields or tuple(key for key in after if key in before and key not in own)
    return [
        f"  {key}: {short(before.get(key))} → {short(after.get(key))}"
        for key in names
        if before.get(key) != after.get(key)
    ]


def target(noun: Noun, row: Row) -> str:
    return f"{noun.words[0]} {plain(noun.full_name(row))}"


def _effect(effect: Row) -> str:
    resource, used, limit = effect["resource"], effect["used"], effect["limit"]
    limit = limit.get("after") if isinstance(limit, dict) else limit
    told = " → ".join(amount(resource, used[key] or 0) for key in ("before", "after"))
    of = "no limit" if limit is None else f"limit {amount(resource, limit)}"
    return plain(f"  quota: {resource} of {effect['level']} {effect['scope']}: {told} ({of})")


def _change(item: Row) -> str:
    if item["old"] == item["new"]:  # the server has masked both sides
        return f"{plain(item['path'])}: a secret changes"
    return f"{plain(item['path'])}: {short(item['old'])} → {short(item['new'])}"


def short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return plain(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")
