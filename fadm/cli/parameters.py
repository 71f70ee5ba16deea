"""Command-line parameters built from the option dataclasses, so that each option is defined once."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer

from fadm.errors import OptionError

Options = TypeVar("Options")

# Name of the flag that switches an option off, where it is not --no-NAME.
OPPOSITES = {"crop": "full", "relative": "absolute"}

NUMBERS = {int: "a whole number", float: "a number", Fraction: "a number such as 25, 29.97 or 30000/1001"}


def takes_options(*classes: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add one parameter to a command for each field of option dataclasses; it gets their values in a dict `given`.

    Args:
        *classes: Option dataclasses; each field's metadata has its `help`.

    Returns:
        The decorator for the command.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command).parameters.values() if p.name != "given"]
        hints = get_type_hints(command, include_extras=True)
        own = [p.replace(annotation=hints[p.name]) for p in own]
        added = {name: parameter for cls in classes for name, parameter in _parameters(cls).items()}

        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in added}
            command(**values, given=given)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        vars(run)["__signature__"] = inspect.Signature([*own, *added.values()])
        run.__annotations__ = {p.name: p.annotation for p in [*own, *added.values()]}
        return run

    return decorate


def collect(cls: type[Options], given: dict[str, Any]) -> Options:
    """Build options from the values given on the command line.

    Args:
        cls: The option dataclass.
        given: Values by the names of the fields; other names are ignored.

    Returns:
        The options.

    Raises:
        OptionError: A value is out of range.
    """
    values = {}
    for f in fields(cls):  # type: ignore[arg-type]
        if "names" in f.metadata:
            values[f.name] = {name: given[name] for name in f.metadata["names"] if given.get(name) is not None}
        elif f.name in given:
            values[f.name] = given[f.name]
    return cls(**values)


def _parameters(cls: type[Any]) -> dict[str, inspect.Parameter]:
    hints = get_type_hints(cls)
    parameters: dict[str, inspect.Parameter] = {}
    for f in fields(cls):
        if "names" in f.metadata:
            parameters |= _number_parameters(f.metadata)
            continue
        flag, hint = f.name.replace("_", "-"), hints[f.name]
        kinds = {kind for kind in (get_args(hint) or (hint,)) if kind is not type(None)}
        spelled = f"--{flag}/--{OPPOSITES.get(f.name, f'no-{flag}')}" if kinds == {bool} else f"--{flag}"
        parser = next((_make_parser(flag, kind) for kind in kinds if kind in NUMBERS), None)
        group = next(c for c in reversed(cls.__mro__) if f.name in vars(c).get("__dataclass_fields__", ()))
        panel = (group.__doc__ or "").partition("\n")[0]
        info = typer.Option(spelled, help=f.metadata["help"], parser=parser, rich_help_panel=panel)
        parameters[f.name] = inspect.Parameter(
            f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=Annotated[hint, info]
        )
    return parameters


def _number_parameters(metadata: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
    """Make an option for each name of a field that holds numbers by names; those that are not given are None."""
    parameters = {}
    for name, text in metadata["names"].items():
        info = typer.Option(f"--{name}", help=text, parser=_make_parser(name, float), rich_help_panel=metadata["panel"])
        parameters[name] = inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[float | None, info]
        )
    return parameters


def _make_parser(flag: str, kind: type[Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return kind(text)
        except (ValueError, ZeroDivisionError) as error:
            raise OptionError(f"--{flag} {text!r}: give {NUMBERS[kind]}") from error

    return parse
