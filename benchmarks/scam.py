"""Tables for `synthtext import` from the published scores of SCAM, and what they say.

    python benchmarks/scam.py DATA OUT

DATA is the folder `data` of the repository Bliss-e-V/SCAM-project-page: the cosines of 44
models between 1,162 photographs, in three versions each, and two captions, one of the object
and one of the word on its note. OUT/MODEL.csv has a row for each image, whose guess is the
caption that is closer; for example:

    synthtext import OUT/RN50.csv --by version,note_area --cluster object,attack --k 2 --out R

Prints the accuracy of each model, with the intervals that `import` gives.

Source: Westerhoff et al., "SCAM: a real-world typographic robustness evaluation for multimodal
foundation models", 2025.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from probes.tasks.imported import ImportConfig, import_outcomes, tabulate_by

VERSIONS = ("SCAM", "SynthSCAM", "NoSCAM")

CONFIG = ImportConfig(by=("version", "note_area"), clusters=("object", "attack"), k=2)


def read_images(folder: Path) -> pd.DataFrame:
    """Return an image per row: key, row of its scores, version, object, attack, note_area."""
    groups = json.loads((folder / "vlm_similarity_index.json").read_text())
    return pd.DataFrame(
        [
            {
                "key": f"{group['image_id']}-{version}",
                "row": group["variants"][version]["row_index"],
                "version": version,
                "object": group["object_label"],
                "attack": group["attack_word"],
                "note_area": group["postit_area_pct"],
            }
            for group in groups
            for version in VERSIONS
        ]
    )


def read_scores(folder: Path) -> pd.DataFrame:
    """Return the scores of all images, two columns for each model."""
    columns = json.loads((folder / "vlm_similarity_metadata.json").read_text())["columns"]
    raw = (folder / "vlm_similarity_data.bin").read_bytes()
    n_rows, n_columns = np.frombuffer(raw, "<u4", 2).tolist()
    scores = np.frombuffer(raw, "<f4", n_rows * n_columns, offset=8)
    return pd.DataFrame(scores.reshape(n_rows, n_columns), columns=columns)


def make_table(images: pd.DataFrame, scores: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the answers of a model, as `synthtext import` takes them."""
    ours, theirs = (
        scores[f"{model}_{what}_similarities"].to_numpy()[images["row"]]
        for what in ("object", "attack")
    )
    guess = images["object"].where(ours > theirs, images["attack"])
    table = images.assign(truth=images["object"], guess=guess)
    return table[["key", "truth", "guess", "version", "note_area", "object", "attack"]]


def describe(model: str, path: Path) -> tuple[float, str]:
    """Return the accuracy under attack, and a line with it for each version and note area."""
    outcomes = import_outcomes(path, CONFIG)
    versions = tabulate_by(outcomes, "version", CONFIG).table.set_index("label")
    attacked = outcomes[outcomes["version"] == "SCAM"]
    areas = tabulate_by(attacked, "note_area", CONFIG).table
    shown = pd.concat([versions.loc[list(VERSIONS)], areas.iloc[[0, -1]]])
    cells = [
        f"{100 * row.accuracy:.2f} ({100 * row.low:.1f} to {100 * row.high:.1f})"
        for row in shown.itertuples()
    ]
    return float(versions.loc["SCAM", "accuracy"]), f"| {model} | {' | '.join(cells)} |"


def main(data: Path, out: Path) -> None:
    """Write a table for each model, and print the accuracies, the best first."""
    images, scores = read_images(data), read_scores(data)
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for model in sorted({name.rsplit("_", 2)[0] for name in scores.columns}):
        make_table(images, scores, model).to_csv(out / f"{model}.csv", index=False)
        lines.append(describe(model, out / f"{model}.csv"))
    print(f"| model | {' | '.join(VERSIONS)} | SCAM, smallest notes | SCAM, largest notes |")
    print("|---|---|---|---|---|---|")
    for _, line in sorted(lines, reverse=True):
        print(line)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
