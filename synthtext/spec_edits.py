"""Fields of a spec, changed by values that are given as text."""

from __future__ import annotations

import reprlib

from synthtext.errors import SpecError
from synthtext.spec import TYPES, Spec, check_name, spec_from_dict, spec_to_dict


def edit_spec(spec: Spec, edits: dict[str, str]) -> Spec:
    """Return the spec with some fields changed, their values given as text.

    Args:
        spec: the spec to change.
        edits: field name to new value, such as `{"blur_px": "4"}`.

    Raises:
        SpecError: no such field, or a value of the wrong type or out of range.
    """
    values = spec_to_dict(spec)
    for name, text in edits.items():
        check_name(name)
        values[name] = _parse_field(name, text)
    return spec_from_dict(values)


def _parse_field(name: str, text: str) -> object:
    expected = TYPES[name]
    if expected is str:
        return text
    if expected is bool:
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    if expected == int | None and text.lower() == "none":
        return None
    try:
        return float(text) if expected is float else int(text)
    except ValueError as error:
        raise SpecError(f"{name} is {reprlib.repr(text)}; it must be a number") from error
