"""Configurations: frozen dataclasses read from TOML or JSON, changed by dotted overrides, written as JSON.

Every key is checked. An error names the key, the file that contains it and similar known keys.
"""

import contextlib
import dataclasses
import difflib
import json
import tomllib
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fadm.errors import ConfigError, OutputError
from fadm.files import place_of, replace_file

Config = TypeVar("Config")


def read_config(cls: type[Config], path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration from a file and apply overrides.

    Args:
        cls: The configuration's dataclass.
        path: A .toml or .json file.
        overrides: Changes such as `model.channels=32`; see `apply_overrides`.

    Returns:
        The configuration; absent keys have the dataclass's defaults.

    Raises:
        ConfigError: The file cannot be read, or a key or value does not fit.
    """
    return config_from_dict(cls, read_table(path, overrides), source=str(path))


def read_table(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Read the keys of a configuration file and apply overrides, without checking them.

    Args:
        path: A .toml or .json file.
        overrides: Changes such as `model.channels=32`; see `apply_overrides`.

    Returns:
        The keys and values, nested as in the file.

    Raises:
        ConfigError: The file cannot be read, or an override is malformed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} cannot be parsed: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold a table of keys, not a {type(values).__name__}")
    return apply_overrides(values, overrides)


def write_config(config: Any, path: Path) -> None:
    """Write a configuration as JSON; the file appears whole or not at all.

    Args:
        config: An instance of a configuration's dataclass.
        path: The .json file.

    Raises:
        OutputError: The file cannot be written.
    """
    text = json.dumps(config_to_dict(config), indent=2) + "\n"
    try:
        with replace_file(place_of(path)) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the configuration {path}: {error.strerror}") from error


def config_to_dict(config: Any) -> dict[str, Any]:
    """Convert a configuration to a dict of JSON's values; tuples stay tuples until written.

    Args:
        config: An instance of a configuration's dataclass.

    Returns:
        The keys and values, nested like the dataclass.
    """
    return dataclasses.asdict(config)


def config_from_dict(cls: type[Config], values: Mapping[str, Any], *, source: str) -> Config:
    """Build a configuration from a dict and check every key.

    Args:
        cls: The configuration's dataclass.
        values: Keys and values, nested like the dataclass; absent keys keep their defaults.
        source: Name of the file, for error messages.

    Returns:
        The configuration.

    Raises:
        ConfigError: A key is unknown or missing, or a value has another type.
    """
    return _build(cls, values, key="", source=source)


def apply_overrides(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Set values by dotted keys.

    Args:
        values: Keys and values; not changed.
        overrides: Changes such as `model.channels=32`. A value is written as in TOML, text also without quotes,
            and None as `none`.

    Returns:
        The changed copy.

    Raises:
        ConfigError: An override has no `=`, or its key is below something that is not a table.
    """
    changed = dict(values)
    for override in overrides:
        dotted, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"override {override!r} has no '=': write it as key=value")
        *tables, last = dotted.strip().split(".")
        table = changed
        for name in tables:
            inner = table.get(name, {})
            if not isinstance(inner, Mapping):
                raise ConfigError(f"override {override!r}: {name!r} is a value, it has no keys of its own")
            table[name] = dict(inner)
            table = table[name]
        table[last] = _parse_override(text.strip())
    return changed


def _parse_override(text: str) -> Any:
    if text == "none":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _build(cls: type[Config], values: Any, *, key: str, source: str, default: Config | None = None) -> Config:
    """Build a dataclass; `default` supplies absent keys where they differ from the class's own defaults."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{source}: {key!r} must be a table of keys, got {values!r}")
    hints = get_type_hints(cls)
    fields = [field for field in dataclasses.fields(cls) if field.init]  # type: ignore[arg-type]
    names = [field.name for field in fields]
    for name in values:
        if name not in names:
            raise ConfigError(f"{source}: unknown key {_join(key, name)!r}{_suggest(name, names)}")
    for field in fields:
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if field.name not in values and not has_default and default is None:
            raise ConfigError(f"{source}: missing key {_join(key, field.name)!r}")
    defaults = {field.name: field.default if default is None else getattr(default, field.name) for field in fields}
    given = {
        name: _convert(hints[name], value, key=_join(key, name), source=source, default=defaults[name])
        for name, value in values.items()
    }
    return cls(**given) if default is None else dataclasses.replace(default, **given)  # type: ignore[type-var]


def _convert(hint: Any, value: Any, *, key: str, source: str, default: Any = None) -> Any:
    """Check a value against a type hint; convert whole numbers to floats and lists to tuples as the hint requires."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        inherited = default if type(default) is hint else None
        return _build(hint, value, key=key, source=source, default=inherited)  # type: ignore[arg-type]
    if origin in (Union, types.UnionType):
        return _convert_union(hint, value, key=key, source=source)
    if origin is tuple:
        return _convert_tuple(hint, value, key=key, source=source)
    if origin is Literal:
        if value in arguments:
            return value
        choices = ", ".join(repr(choice) for choice in arguments)
        near = _suggest(str(value), [str(choice) for choice in arguments])
        raise ConfigError(f"{source}: {key!r} must be one of {choices}; got {value!r}{near}")
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is hint or (hint is type(None) and value is None):
        return value
    raise ConfigError(f"{source}: {key!r} must be {_describe_type(hint)}, got {value!r}")


def _convert_union(hint: Any, value: Any, *, key: str, source: str) -> Any:
    if value is None and type(None) in get_args(hint):
        return None
    choices = [choice for choice in get_args(hint) if choice is not type(None)]
    if len(choices) == 1:
        return _convert(choices[0], value, key=key, source=source)
    for choice in choices:
        with contextlib.suppress(ConfigError):
            return _convert(choice, value, key=key, source=source)
    raise ConfigError(f"{source}: {key!r} must be {_describe_type(hint)}, got {value!r}")


def _convert_tuple(hint: Any, value: Any, *, key: str, source: str) -> tuple[Any, ...]:
    items = get_args(hint)
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{source}: {key!r} must be a list, got {value!r}")
    if len(items) == 2 and items[1] is Ellipsis:
        items = (items[0],) * len(value)
    if len(items) != len(value):
        raise ConfigError(f"{source}: {key!r} must hold {len(items)} values, got {len(value)}: {value!r}")
    pairs = enumerate(zip(items, value, strict=True))
    return tuple(_convert(item, entry, key=f"{key}[{i}]", source=source) for i, (item, entry) in pairs)


def _describe_type(hint: Any) -> str:
    if get_args(hint):
        return " or ".join(_describe_type(choice) for choice in get_args(hint))
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "none"}
    return words.get(hint, getattr(hint, "__name__", str(hint)))


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _suggest(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"; did you mean {' or '.join(repr(n) for n in near)}?"
    return f"; known are {', '.join(sorted(names))}"
