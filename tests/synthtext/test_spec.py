from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.errors import SpecError
from synthtext.factors import FACTORS
from synthtext.spec import (
    BOUNDS,
    CASES,
    TYPES,
    Spec,
    check_spec,
    spec_from_dict,
    spec_to_dict,
)
from synthtext.spec_edits import edit_spec

NUMBERS = st.fixed_dictionaries(
    {
        name: st.integers(int(bounds.low), int(bounds.high))
        if TYPES[name] is int
        else st.floats(bounds.low, bounds.high, allow_nan=False)
        for name, bounds in BOUNDS.items()
    }
)


@given(NUMBERS, st.text(), st.sampled_from(list(CASES)), st.sampled_from([None, 0, 1]))
def test_json_gives_the_spec_back(
    numbers: dict[str, float], text: str, case: str, label: int | None
) -> None:
    spec = Spec(seed=0, index=0, split="val", kind="word", text=text, font="a.ttf")
    others = "a " * 16
    spec = dataclasses.replace(spec, **numbers, case=case, label=label, other_texts=others)
    assert spec_from_dict(json.loads(json.dumps(spec_to_dict(spec)))) == spec


def test_whole_numbers_are_read_as_fine_floats(spec: Spec) -> None:
    assert isinstance(spec_from_dict(spec_to_dict(spec) | {"size_px": 32}).size_px, float)


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        ({"blur_px": "-1"}, "blur_px is -1.0; it is a radius in px, so 0 to 64"),
        ({"blur_px": "nan"}, "blur_px is nan; it is a radius in px, so 0 to 64"),
        ({"blur_px": "much"}, "blur_px is 'much'; it must be a number"),
        ({"width_px": "1.5"}, "width_px is '1.5'; it must be a number"),
        ({"blurpx": "1"}, "a spec has no field 'blurpx'; did you mean blur_px"),
        ({"case": "loud"}, "case is 'loud'; it is one of as-is, lower, upper, title"),
        ({"align": "up"}, "align is 'up'; it is one of left, center, right"),
        ({"ink": "red"}, "ink is 'red'; write a colour as '#rrggbb'"),
        ({"shrink": "maybe"}, "shrink is 'maybe'; it must be of type bool"),
    ],
)
def test_a_bad_edit_is_named(spec: Spec, edits: dict[str, str], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        edit_spec(spec, edits)
    assert str(caught.value) == sentence


def test_an_edit_changes_one_field(spec: Spec) -> None:
    edited = edit_spec(spec, {"rotation_deg": "30", "label": "none", "font_italic": "yes"})
    assert edited == dataclasses.replace(spec, rotation_deg=30.0, font_italic=True)


def test_a_boolean_is_not_a_number(spec: Spec) -> None:
    with pytest.raises(SpecError, match="size_px is True; it must be of type float"):
        check_spec(dataclasses.replace(spec, size_px=True))


def test_a_missing_field_is_named(spec: Spec) -> None:
    fields = spec_to_dict(spec)
    del fields["ink"]
    with pytest.raises(SpecError) as caught:
        spec_from_dict(fields)
    assert str(caught.value) == "the spec lacks ink; it was not written by synthtext"


@pytest.mark.parametrize(
    ("case", "drawn"),
    [
        ("as-is", "McTaggart"),
        ("lower", "mctaggart"),
        ("upper", "MCTAGGART"),
        ("title", "Mctaggart"),
    ],
)
def test_case_is_applied_when_the_text_is_drawn(spec: Spec, case: str, drawn: str) -> None:
    assert dataclasses.replace(spec, text="McTaggart", case=case).drawn_text == drawn


@pytest.mark.parametrize(
    ("name", "value"), [("background", "linen"), ("kind", "letter"), ("split", "dev")]
)
def test_a_value_that_nothing_draws_is_refused(spec: Spec, name: str, value: str) -> None:
    with pytest.raises(SpecError, match=f"{name} is '{value}'; it is one of "):
        check_spec(dataclasses.replace(spec, **{name: value}))


def test_the_choices_of_a_factor_are_those_that_are_drawn() -> None:
    assert FACTORS["case"].choices == tuple(CASES)
    fields = {field.name for field in dataclasses.fields(Spec)}
    assert set(FACTORS) <= fields


def test_every_field_is_explained() -> None:
    lines = {line.strip().partition(":")[0] for line in (Spec.__doc__ or "").splitlines()}
    assert {field.name for field in dataclasses.fields(Spec)} <= lines
