"""YAML and `a.b=c` overrides into a strict pydantic model, and back.  Defines no stage's fields.

YAML is read by the rules of version 1.2: `5e-5` is a number, and `no`, `off` and `12:30` are text.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from srpo.errors import ConfigError

T = TypeVar("T", bound=BaseModel)

_MOST_PROBLEMS: Final = 5
"""Named in one message."""


class Settings(BaseModel):
    """Base of the settings of a stage: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def load_config(path: Path | None, overrides: Sequence[str], kind: type[T]) -> T:
    """Settings from a file (none = defaults only) and overrides such as `train.epochs=3`, later ones winning.

    The value of an override is YAML: `a=[1, 2]`, `a={b: 1}`, `a=` (null).  Types are strict: "3" is not a
    number.  Raises ConfigError, on one line, for a file that is missing, empty or broken, an unknown key (with
    the nearest valid one), and a value of the wrong type or out of range.
    """
    data = {} if path is None else read_mapping(path)
    for override in overrides:
        _override(data, override)
    try:
        # JSON rules are strict about types, yet know that a path is written as text and a tuple as a list.
        return kind.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        raise ConfigError(_Problems(kind, data, path, overrides).describe(error)) from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path or 'overrides'}: holds a value that settings cannot have ({error})") from None


def dump_config(config: BaseModel) -> str:
    """YAML of all settings, defaults included; `load_config` reads it back to an equal object."""
    text: str = yaml.dump(config.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def read_mapping(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file.  Raises ConfigError if it is missing, empty or broken (with the line)."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; check the path of the configuration") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot read ({error.strerror}); give the path of a YAML file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    return parse_mapping(text, str(path))


def parse_mapping(text: str, source: str = "settings") -> dict[str, Any]:
    """The keys and values of YAML text; `source` names it in errors.  Raises ConfigError as `read_mapping` does."""
    try:
        data = _parse(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}{_yaml_problem(error)}") from None
    if data is None:
        raise ConfigError(f"{source}: is empty; write settings such as `seed: 1`, or leave the file out for defaults")
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: expected keys and values (`key: value`), got {_show(data)}")
    return data


def _override(data: dict[str, Any], override: str) -> None:
    """Set one value in place, making the mappings on its way."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"override {override!r}: expected key=value with a dotted key, such as train.epochs=3")
    try:
        value = _parse(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"override {override!r}{_yaml_problem(error)}") from None
    for depth, part in enumerate(parts[:-1], 1):
        if data.get(part) is None:
            data[part] = {}
        if not isinstance(data[part], dict):
            where = ".".join(parts[:depth])
            raise ConfigError(f"override {override!r}: {where} is {_show(data[part])}, so it has no keys; set it whole")
        data = data[part]
    data[parts[-1]] = value


# --- YAML 1.2 ------------------------------------------------------------------------------------------------

_CORE_SCHEMA: Final[dict[str, tuple[str, str]]] = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own way to replace its rules)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    """Quotes what either version of YAML would take for something else than text."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # Unless escaped, these count as line breaks and come back as spaces.
        style = '"' if any(c in text for c in "\x85\u2028\u2029") else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)

for _tag, (_pattern, _first) in _CORE_SCHEMA.items():
    _regex = re.compile(rf"^(?:{_pattern})$")
    _characters = ["" if c == "\0" else c for c in _first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _regex, _characters)
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _regex, _characters)


def _parse(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{where}: not valid YAML, {problem}"


# --- Messages ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problems:
    """What pydantic found, said in terms of the file and the overrides."""

    kind: type[BaseModel]
    data: dict[str, Any]
    path: Path | None
    overrides: Sequence[str]

    def describe(self, error: ValidationError) -> str:
        problems = error.errors()
        lines = [self._line(problem) for problem in problems[:_MOST_PROBLEMS]]
        more = len(problems) - len(lines)
        return ("; ".join(lines) + (f"; and {more} more" if more > 0 else "")).replace("\n", " ")

    def _line(self, problem: Any) -> str:
        parts = self._as_written(problem["loc"], problem["type"])
        key = ".".join(parts)
        source = self._source(key)
        if problem["type"] == "extra_forbidden":
            return f"{source}: unknown key {key}; {_nearest(parts, problem['loc'], self.kind)}"
        if problem["type"] == "missing":
            return f"{source}: {key} is missing; set it"
        if problem["type"] == "union_tag_not_found":
            return f"{source}: {key}.{problem['ctx']['discriminator'].strip(chr(39))} is missing; set it"
        expected = str(problem["msg"]).replace("Input should be", "expected", 1).removeprefix("Value error, ")
        return f"{source}: {key}: {expected}, got {_show(problem['input'])}" if key else f"{source}: {expected}"

    def _as_written(self, location: Sequence[str | int], problem: str) -> list[str]:
        """The location without what pydantic adds to it: the names of a union's members."""
        here: Any = self.data
        parts = []
        for part in location:
            known = part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int)
            if known:
                here = here[part]
            if known or (problem == "missing" and part is location[-1]):
                parts.append(str(part))
        return parts

    def _source(self, key: str) -> str:
        """The override that set the key, or something in it or around it; else the file."""
        for override in reversed(self.overrides):
            name = override.partition("=")[0].strip()
            if f"{key}.".startswith(f"{name}.") or f"{name}.".startswith(f"{key}."):
                return f"override {override!r}"
        return str(self.path) if self.path is not None else "settings"


def _nearest(parts: Sequence[str], location: Sequence[str | int], kind: type[BaseModel]) -> str:
    models = [kind]
    for part in location[:-1]:  # parts that are no field (an index, the tag of a union) do not lead deeper
        fields = [model.model_fields[str(part)] for model in models if str(part) in model.model_fields]
        models = [model for field in fields for model in _models_in(field.annotation)] or models
    valid = sorted({name for model in models for name in model.model_fields})
    near = difflib.get_close_matches(parts[-1], valid, n=1)
    if near:
        return f"did you mean {'.'.join([*parts[:-1], near[0]])}?"
    return f"valid keys here: {', '.join(valid) or 'none'}"


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _show(value: object) -> str:
    kinds = {str: "text", dict: "a mapping", list: "a list", bool: "a boolean", int: "a number", float: "a number"}
    kind = "null" if value is None else kinds.get(type(value), type(value).__name__)
    text = repr(value)
    short = text if len(text) <= 60 else text[:57] + "..."
    return kind if value is None else f"{short} ({kind})"
