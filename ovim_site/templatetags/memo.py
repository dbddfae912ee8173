"""`{% memo a b %}…{% endmemo %}`: a piece of a page that is the same whenever `a` and `b` are, rendered once a process.

For what stands on every page: navigation, palette, icons. What is inside may read those names, constants and nothing
else; a token or a person's name in it would be shown to the next one.
"""

from typing import Any

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.context import Context
from django.utils.safestring import SafeString

register = template.Library()
MOST = 512  # kept of one piece; then it begins anew


class Memo(template.Node):
    """Kept with the compiled template, which itself is kept as long as the process."""

    def __init__(self, nodelist: NodeList, names: list[FilterExpression]) -> None:
        self.nodelist, self.names = nodelist, names
        self.kept: dict[tuple[Any, ...], SafeString] = {}

    def render(self, context: Context) -> SafeString:
        key = tuple(name.resolve(context) for name in self.names)
        found = self.kept.get(key)
        if found is None:
            if len(self.kept) >= MOST:
                self.kept.clear()
            found = self.kept[key] = self.nodelist.render(context)
        return found


@register.tag
def memo(parser: Parser, token: Token) -> Memo:
    names = [parser.compile_filter(bit) for bit in token.split_contents()[1:]]
    nodelist = parser.parse(("endmemo",))
    parser.delete_first_token()
    return Memo(nodelist, names)
