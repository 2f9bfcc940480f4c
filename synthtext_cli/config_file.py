"""`--config run.toml`: options of a command in a file, which the command line overrides."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from synthtext.errors import SynthtextError
from synthtext.toml_files import Limits, read_toml

LIMITS = Limits(max_bytes=1 << 20, max_depth=2)

OWN = frozenset({"config", "help"})
"""Options that a file cannot set."""


REPEATED = frozenset({"model"})
"""Repeatable options that may be a single string in a file."""

TYPES = {
    bool: "true or false", int: "an integer", float: "a number",
    list[str]: "an array of strings",
}  # fmt: skip


class ConfigFileError(SynthtextError):
    """An options file cannot be used."""


def _take_file(context: typer.Context, file: Path | None) -> Path | None:
    """Make the options of a file the defaults of the command."""
    if file is not None:
        context.default_map = {**(context.default_map or {}), **read_options(context, file)}
    return file


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="TOML file of options, such as run.toml of another run; the command line wins.",
        is_eager=True,
        callback=_take_file,
    ),
]


def read_options(context: typer.Context, file: Path) -> dict[str, Any]:
    """Return the options of a file, by the names of the command's parameters.

    Raises:
        ConfigFileError: it cannot be read, has an option that the command lacks, or a value of
            the wrong type.
    """
    remedy = "give a file such as the run.toml of a run"
    content = read_toml(file, LIMITS, kind=ConfigFileError, remedy=remedy)
    known = dict(_list_parameters(context))
    options = {}
    for given, value in content.items():
        name = given.replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name[:80], known, n=3)
            hint = f"did you mean {', '.join(near)}" if near else f"it has {', '.join(known)}"
            raise ConfigFileError(
                f"{file} has {given!r}, which is not an option of {context.info_name}; {hint}"
            )
        wanted = _name_type(context, known[name].name)
        is_one = isinstance(value, str) and known[name].name in REPEATED
        if not is_one and not _is_fit(value, wanted):
            raise ConfigFileError(f"{given} in {file} is {value!r}; it must be {wanted}")
        is_list = is_one and getattr(known[name], "multiple", False)
        options[known[name].name] = [value] if is_list else value
    return options


def format_options(context: typer.Context, command: str) -> str:
    """Return the options of a running command, including defaults, as TOML."""
    lines = [f"# {_quote(command)[1:-1]}"]
    for name, parameter in _list_parameters(context):
        value = context.params.get(parameter.name)
        if isinstance(value, (list, tuple)):
            lines.append(f"{name} = [{', '.join(_quote(str(each)) for each in value)}]")
        elif isinstance(value, bool):
            lines.append(f"{name} = {str(value).lower()}")
        elif value is not None:
            is_number = isinstance(value, int | float)
            lines.append(f"{name} = {value!r}" if is_number else f"{name} = {_quote(value)}")
    return "\n".join(lines) + "\n"


def _list_parameters(context: typer.Context) -> Iterator[tuple[str, Any]]:
    """Yield each parameter of a command, by its name in a file."""
    for parameter in context.command.params:
        name = max(parameter.opts, key=len).lstrip("-").replace("-", "_")
        if name not in OWN:
            yield name, parameter


def _name_type(context: typer.Context, parameter: str) -> str:
    """Return the type that a file must give for a parameter, from the command's annotation."""
    command = inspect.unwrap(context.command.callback or _take_file)
    annotation = typing.get_type_hints(command).get(parameter)
    kinds = {annotation, *typing.get_args(annotation)}
    for kind, wanted in TYPES.items():
        if kind in kinds:
            return wanted
    return "a string"


def _is_fit(value: object, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "true or false"
    if isinstance(value, list):
        return wanted == "an array of strings" and {*map(type, value)} <= {str}
    kinds = {"an integer": int, "a number": int | float, "a string": str}
    return isinstance(value, kinds.get(wanted, ()))


def _quote(value: object) -> str:
    """Return a text as TOML, which, unlike JSON, does not allow an unescaped DEL."""
    return orjson.dumps(str(value)).decode().replace("\x7f", "\\u007f")
