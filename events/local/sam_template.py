"""``template.yaml`` as Python reads it."""

from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags: ``!Ref x`` is read as ``{"Ref": "x"}``."""


def _short_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type] # a mapping
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)


def read_template(path: Path) -> dict[str, Any]:
    """Return the template, with its short tags written out."""
    with path.open(encoding="utf-8") as file:
        template: dict[str, Any] = yaml.load(file, _Loader)  # noqa: S506 # a SafeLoader
    return template
