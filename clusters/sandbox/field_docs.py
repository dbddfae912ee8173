"""What the API says of its fields, from the models of the official client.

Read as text: importing them takes a second, and only tables tell it.
"""

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def description(field: str) -> str:
    """Of a field as the client names it, `V1ServiceSpec.cluster_ip`. LookupError if it has none."""
    model, _, name = field.partition(".")
    for line in _model(model).body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.target.id == name:
            return _described(line, field)
    raise LookupError(f"The client's {model} has no field {name}.")


@cache
def _model(name: str) -> ast.ClassDef:
    spec = find_spec("kubernetes")
    if spec is None or spec.origin is None:
        raise LookupError("There is no package kubernetes.")
    stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    source = Path(spec.origin).parent / "client" / "models" / f"{stem}.py"
    classes = [node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef)]
    return next(node for node in classes if node.name == name)


def _described(line: ast.AnnAssign, field: str) -> str:
    keywords = line.value.keywords if isinstance(line.value, ast.Call) else []
    for keyword in keywords:
        if keyword.arg == "description" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    raise LookupError(f"The client says nothing of {field}.")
