"""`ovim diff KIND/NAME`: in what things differ from what is wanted of them in their cluster. Nothing is changed."""

from cli.cells import age
from cli.client import Client, Row
from cli.errors import CliError, Exit
from cli.names import Scope, find, targets
from cli.nouns import Noun
from cli.output import emit, emit_value, is_structured, plain, say
from cli.plan import short, target

RECONCILED = ("vm", "vdc", "organization")


def compare(client: Client, wanted: tuple[str, ...], place: Scope, *, live: bool, style: str) -> bool:
    """Tell it of each; whether any differs."""
    meant = targets(wanted)
    other = next((noun for noun, _ in meant if noun.name not in RECONCILED), None)
    if other is not None:
        raise CliError(Exit.USAGE, f"A {other.name} is not in a cluster: there is no difference to look for.")
    found = []
    for noun, name in meant:
        row = find(client, noun, name, place)
        drift = client.get(f"{noun.path}/{row['id']}/drift", **({"live": "true"} if live else {}))
        found.append((noun, row, drift))
    if is_structured(style):
        rows = [{"kind": noun.words[0], "id": row["id"], "name": row["name"], **drift} for noun, row, drift in found]
        emit_value(rows, style, one=len(rows) == 1)
    else:
        for noun, row, drift in found:
            _tell(noun, row, drift)
    return any(drift["differs"] for _, _, drift in found)


def _tell(noun: Noun, row: Row, drift: Row) -> None:
    if drift["differs"]:
        lines = [line for item in drift["objects"] for line in _lines(item)]
        emit("\n".join([f"~ {target(noun, row)} differs in the cluster:", *lines]))
    else:
        say(f"{target(noun, row)} is as wanted.")
    for order in drift["orders"]:
        disk = f" --disk {order['disk_name']}" if order["disk_name"] else ""
        told = f"not possible: {order['hindrance']}" if order["hindrance"] else f"ovim order {order['order']} "
        told += "" if order["hindrance"] else f"{noun.words[0]}/{noun.full_name(row)}{disk}"
        say(f"  {order['order']}: {told}")
    if drift["unseen"]:
        names = ", ".join(f"{item['kind']} {item['name']}" for item in drift["unseen"])
        say(f"  Not watched, so not compared: {names} (--live looks).")


def _lines(item: Row) -> list[str]:
    place = f"{item['namespace']}/" if item["namespace"] else ""
    lines = [plain(f"  {item['kind']} {place}{item['name']}: {item['state']}. {item['what_follows']}")]
    for field in item["fields"]:
        who = ""
        if field["changed_by"]:
            ago = age("changed_at")(field)
            who = f" ({field['changed_by']}{f', {ago} ago' if ago else ''})"
        if field["wanted"] == field["live"]:  # the server has masked both sides
            lines.append(plain(f"    {field['path']}: a secret differs{who}"))
        else:
            lines.append(
                f"    {plain(field['path'])}: wanted {short(field['wanted'])}, there {short(field['live'])}{plain(who)}"
            )
    return lines
