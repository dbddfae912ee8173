"""The item format: one YAML file an item, the same for every source. Errors name file and line, all of them at once. Pure.

apiVersion: catalog.ovim.io/v1
kind: VMTemplate
metadata: {name, displayName, description, version, tags}
spec: {os, image: {url, checksum, minDisk}, resources: {cpu, memory, disk}, cloudInit}
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import yaml

from catalogs.cloudinit import BadCloudInit, check_user_data
from catalogs.images import BadImage, check_url
from core import quantities, yamls

API_VERSION, KIND = "catalog.ovim.io/v1", "VMTemplate"
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
CHECKSUM = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\Z")
MOST_BYTES = 256 * 1024


@dataclass(frozen=True, order=True)
class ItemError:
    """One thing wrong with a file of a catalog."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Item:
    """A VM template as its file says."""

    file: str
    name: str
    display_name: str
    image_url: str
    min_disk_gib: int
    cpu: int
    memory_mib: int
    disk_gib: int
    description: str = ""
    version: str = ""
    os_family: str = ""
    tags: tuple[str, ...] = ()
    checksum: str = ""
    user_data: str = ""


@dataclass
class _Reader:
    """Walks the node tree, which knows lines, and collects what is wrong."""

    file: str
    hosts: Collection[str]
    errors: list[ItemError] = field(default_factory=list)

    def wrong(self, node: yaml.Node, message: str) -> None:
        self.errors.append(ItemError(self.file, node.start_mark.line + 1, message))

    def mapping(
        self, node: yaml.Node, path: str, known: Collection[str], needed: Collection[str]
    ) -> dict[str, yaml.Node]:
        """The values by key. Unknown, repeated and missing keys are errors."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{path or 'the file'} must be a mapping")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            where = f"{path}.{name}" if path else name
            if name not in known:
                self.wrong(key, f"{where} is not a field; there are: {', '.join(known)}")
            elif name in found:
                self.wrong(key, f"{where} is given twice")
            else:
                found[name] = value
        for name in needed:
            if name not in found:
                self.wrong(node, f"{path}.{name} is missing" if path else f"{name} is missing")
        return found

    def text(self, nodes: dict[str, yaml.Node], path: str, *, most: int = 1000, default: str = "") -> str:
        node = nodes.get(path.rpartition(".")[2])
        if node is None:
            return default
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            self.wrong(node, f"{path} must be text (quote it if it looks like a number)")
            return default
        if len(node.value) > most:
            self.wrong(node, f"{path} has more than {most} characters")
        return str(node.value)

    def number(self, nodes: dict[str, yaml.Node], path: str, read: Callable[[str], int], example: str) -> int:
        node = nodes.get(path.rpartition(".")[2])
        if node is None:
            return 1
        try:
            if not isinstance(node, yaml.ScalarNode):
                raise quantities.NotExact(f"it must be a quantity such as {example}")
            value = read(str(node.value))
            if not 1 <= value < 2**31:
                raise quantities.NotExact("it must be at least 1")
        except quantities.NotExact as error:
            self.wrong(node, f"{path}: {error}")
            return 1
        return value

    def checked(self, nodes: dict[str, yaml.Node], path: str, check: Callable[[str], Any], *, most: int) -> str:
        value = self.text(nodes, path, most=most)
        node = nodes.get(path.rpartition(".")[2])
        if node is not None and value:
            try:
                check(value)
            except BadCloudInit as error:
                line = node.start_mark.line + (error.line or 0) + 1
                self.errors.append(ItemError(self.file, line, f"{path}: {error}"))
            except (BadImage, ValueError) as error:
                self.wrong(node, f"{path}: {error}")
        return value


def parse(text: str, file: str, allowed_hosts: Collection[str] = ()) -> tuple[Item | None, list[ItemError]]:
    """The item, or everything that is wrong with it."""
    if len(text.encode()) > MOST_BYTES:
        return None, [ItemError(file, 1, f"the file has more than {MOST_BYTES // 1024} KiB")]
    try:
        node = yamls.compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return None, [ItemError(file, mark.line + 1 if mark else 1, f"no YAML: {error.problem or error.context}")]
    except (yaml.YAMLError, RecursionError) as error:
        return None, [ItemError(file, 1, f"no YAML: {error}")]
    if node is None:
        return None, [ItemError(file, 1, "the file is empty")]
    reader = _Reader(file, allowed_hosts)
    item = _item(reader, node)
    return (None, sorted(reader.errors)) if reader.errors else (item, [])


def _item(reader: _Reader, node: yaml.Node) -> Item:
    keys = ("apiVersion", "kind", "metadata", "spec")
    top = reader.mapping(node, "", keys, keys)
    for key, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if key in top and reader.text(top, key) != expected:
            reader.wrong(top[key], f"{key} must be {expected}")
    meta = _part(reader, top, "metadata", ("name", "displayName", "description", "version", "tags"), ("name",))
    spec = _part(reader, top, "spec", ("os", "image", "resources", "cloudInit"), ("image", "resources"))
    image = _part(reader, spec, "spec.image", ("url", "checksum", "minDisk"), ("url",))
    sizes = _part(reader, spec, "spec.resources", ("cpu", "memory", "disk"), ("cpu", "memory", "disk"))
    system = _part(reader, spec, "spec.os", ("family", "distribution", "version"), ())
    name = reader.checked(meta, "metadata.name", _label, most=63)
    disk = reader.number(sizes, "spec.resources.disk", quantities.gibibytes, "10Gi")
    least = reader.number(image, "spec.image.minDisk", quantities.gibibytes, "2Gi")
    if "disk" in sizes and least > disk:
        reader.wrong(sizes["disk"], f"spec.resources.disk is smaller than spec.image.minDisk ({least}Gi)")
    return Item(
        file=reader.file,
        name=name,
        display_name=reader.text(meta, "metadata.displayName", most=255) or name,
        description=reader.text(meta, "metadata.description"),
        version=reader.text(meta, "metadata.version", most=40),
        tags=_tags(reader, meta.get("tags")),
        os_family=reader.text(system, "spec.os.family", most=40),
        image_url=reader.checked(image, "spec.image.url", lambda url: check_url(url, reader.hosts), most=1024),
        checksum=reader.checked(image, "spec.image.checksum", _checksum, most=160),
        min_disk_gib=least,
        cpu=reader.number(sizes, "spec.resources.cpu", quantities.cores, "2"),
        memory_mib=reader.number(sizes, "spec.resources.memory", quantities.mebibytes, "2Gi"),
        disk_gib=disk,
        user_data=reader.checked(spec, "spec.cloudInit", check_user_data, most=64 * 1024),
    )


def _part(
    reader: _Reader, parent: dict[str, yaml.Node], path: str, known: Collection[str], needed: Collection[str]
) -> dict[str, yaml.Node]:
    node = parent.get(path.rpartition(".")[2])
    return reader.mapping(node, path, known, needed) if node is not None else {}


def _tags(reader: _Reader, node: yaml.Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode):
        reader.wrong(node, "metadata.tags must be a list")
        return ()
    for entry in node.value:
        if not isinstance(entry, yaml.ScalarNode) or not 1 <= len(entry.value) <= 63:
            reader.wrong(entry, "a tag is text of 1 to 63 characters")
    return tuple(str(entry.value) for entry in node.value)


def _label(name: str) -> None:
    if not LABEL.match(name):
        raise ValueError(f"{name!r} must be 1 to 63 lower-case letters, digits and '-' (RFC 1123 label)")


def _checksum(text: str) -> None:
    if not CHECKSUM.match(text):
        raise ValueError("write sha256: or sha512: and the digest in lower-case hexadecimal digits")
