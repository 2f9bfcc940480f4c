from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthtext.dataset.codec import encode
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.dataset.schemas import SCHEMAS
from synthtext.dataset.shards import read_samples
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import render
from synthtext.recipe import default_recipe
from synthtext.spec import Spec
from synthtext.texts.words import Texts

jsonschema = pytest.importorskip("jsonschema")

FOLDER = Path(__file__).parents[3] / "docs/schemas"


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_in_the_docs_are_those_of_the_code(name: str) -> None:
    expected = json.loads(json.dumps(SCHEMAS[name]()))
    assert json.loads((FOLDER / f"{name}.json").read_text()) == expected
    jsonschema.Draft202012Validator.check_schema(expected)


def test_what_is_drawn_keeps_to_the_schemas(
    words: Texts, fonts: Catalogue, tmp_path: Path
) -> None:
    render_dataset(
        make_plan(default_recipe(), {"word": words}, fonts), tmp_path / "out", part="0:1"
    )
    begun = json.loads((tmp_path / "out/dataset.json").read_text())
    jsonschema.validate(begun, SCHEMAS["dataset-1"]())
    render_dataset(make_plan(default_recipe(), {"word": words}, fonts), tmp_path / "out")
    manifest = json.loads((tmp_path / "out/dataset.json").read_text())
    jsonschema.validate(manifest, SCHEMAS["dataset-1"]())
    for path in (tmp_path / "out").glob("*/*.tar"):
        for sample in read_samples(path):
            jsonschema.validate(json.loads(sample.files["json"]), SCHEMAS["sample-1"]())


def test_the_schema_refuses_what_verify_refuses(spec: Spec, fonts: Catalogue) -> None:
    fields = json.loads(encode(render(spec, fonts), "png").files["json"])
    for name, value in (("blur_px", -1), ("ink", "black"), ("case", "camel"), ("seed", "0")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(fields | {name: value}, SCHEMAS["sample-1"]())
    del fields["text"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(fields, SCHEMAS["sample-1"]())
