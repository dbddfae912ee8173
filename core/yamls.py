"""YAML that somebody sent: read as safe YAML only, and not if its aliases make more of it than can be meant. Pure.

A few lines in which each alias names the one before ten times stand for billions of nodes ("billion laughs"). Sharing
keeps plain aliases small in memory, but merge keys (`<<: [*a, *a]`) are copied out, and so is whatever is printed.
"""

from typing import Any

import yaml

DEEPEST = 100
MOST_NODES = 50_000  # written out; 64 KiB without an alias are fewer


class TooMuch(yaml.YAMLError):
    """Written out it would be too large, or without an end."""


class _Loader(yaml.SafeLoader):
    """In Python on purpose: libyaml's overflows the process's stack where things are nested deep enough."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooMuch(f"it is nested more than {DEEPEST} levels deep")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def bounded(self) -> yaml.Node | None:
        """The one document's tree."""
        node: yaml.Node | None = self.get_single_node()
        if node is not None and _written_out(node, {}) > MOST_NODES:
            raise TooMuch(f"its aliases stand for more than {MOST_NODES} nodes")
        return node


def compose(text: str) -> yaml.Node | None:
    """The tree of one document, None if it is empty. yaml.YAMLError: it is none, or too much."""
    return _Loader(text).bounded()


def load(text: str) -> Any:
    """As yaml.safe_load, of what `compose` lets through."""
    loader = _Loader(text)
    node = loader.bounded()
    return None if node is None else loader.construct_document(node)


def _written_out(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many nodes it has when every alias is replaced by what it names. 0 in `sizes`: we are inside of it."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    known = sizes.get(id(node))
    if known == 0:
        raise TooMuch("an alias names what it stands in")
    if known is None:
        sizes[id(node)] = 0
        pairs = isinstance(node, yaml.MappingNode)
        parts = [part for pair in node.value for part in pair] if pairs else node.value
        known = sizes[id(node)] = 1 + sum(_written_out(part, sizes) for part in parts)
    return known
