from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from command_line import run
from probes.data.pairs import parse_exclusion
from probes.errors import ProbeError
from probes.models.factory import load_model
from probes.reports.finetune import format_card, verdict, write_finetune
from probes.training.finetune import Finetuned, run_finetune
from probes.training.fit import train_model
from synthtext.errors import DatasetError
from tiny_training import PATCHED, set_up, write_data, write_model

FEW = "probes.training.finetune.N_PSEUDOWORDS"


@pytest.fixture(scope="module", autouse=True)
def _few_pseudowords() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FEW, 4)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(
        tmp_path_factory.mktemp("d") / "d", 600, font_family="DejaVu Sans,Lobster"
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("m") / "m")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("r") / "scratch"


@pytest.fixture(scope="module")
def scratch(data: Path, model: Path, out: Path) -> Finetuned:
    """Return a reader of capitals in one font, trained in seconds."""
    config = set_up(
        model, data, arm="scratch", exclude=parse_exclusion(["font_family=Lobster"]),
        schedule={"n_steps": 90, "letters": 1.0, "save_every": 45},
    )  # fmt: skip
    done = run_finetune(config, out)
    assert done is not None
    write_finetune(done, out)
    return done


def test_a_short_run_lowers_the_loss(scratch: Finetuned) -> None:
    losses = [row["loss"] for row in scratch.history if "loss" in row]
    assert losses[-1] < losses[0] / 3


def test_a_short_run_reads_words_it_was_not_taught(scratch: Finetuned) -> None:
    row = scratch.gains.iloc[0]
    assert row["group"] == "held-out words"
    assert row["worked"]
    assert row["accuracy_a"] + row["low"] > 2 / scratch.k
    assert verdict(scratch).startswith("Improved by +")


def test_what_was_left_out_has_a_row_of_its_own(scratch: Finetuned) -> None:
    groups = scratch.gains["group"].tolist()
    assert groups == [
        "held-out words",
        "held-out words, unseen font_family: Lobster",
        "pseudowords",
    ]
    before, _ = scratch.outcomes
    seen = scratch.gains.set_index("group")["n_seen"]
    assert seen.iloc[1] == (before["font_family"] == "Lobster").sum() > 0
    assert seen.iloc[0] + seen.iloc[1] == len(before)


def test_a_run_leaves_a_page_a_file_and_a_model(scratch: Finetuned, out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    assert summary["verdict"] == verdict(scratch)
    assert summary["gains"][0]["worked"] is True
    assert summary["config"]["exclude"] == {"font_family": "Lobster"}
    page = (out / "report.html").read_text()
    assert "unseen font_family: Lobster" in page
    assert (out / "plots" / "training.png").exists()
    loaded = load_model(str(out / "model"), device="cpu")
    assert (
        loaded.weights_sha256
        == scratch.after.weights_sha256
        == summary["after"]["weights_sha256"]
    )
    assert (out / "model" / "README.md").read_text().startswith("---\n")


def test_the_card_of_a_model_shows_hostile_names_as_text(scratch: Finetuned) -> None:
    name = "x\n---\nlicense: evil\n# <img src=x onerror=alert(1)> [/b] | `"
    gains = scratch.gains.assign(group=name)
    before = replace(scratch.before, name=name, tag="\x1b[2J\u202e")
    hostile = format_card(replace(scratch, before=before, gains=gains))
    plain = format_card(scratch)
    assert hostile.count("\n") == plain.count("\n")
    assert hostile.count("\n---") == plain.count("\n---")
    assert hostile.count("\n#") == plain.count("\n#")
    # After a backslash, an angle bracket and a bar are literal.
    assert not re.search(r"(?<!\\)<img|onerror(?!\\)", hostile)
    assert not re.search("[\x1b\u202e]", hostile)
    table = [line for line in hostile.splitlines() if line.startswith("| x")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {9}


@pytest.fixture(scope="module")
def tuned(scratch: Finetuned, data: Path, out: Path) -> Finetuned:
    config = set_up(
        out / "model", data, arm="vision", pretrained=None,
        schedule={"n_steps": 40, "save_every": 40, "lr": 2e-3},
    )  # fmt: skip
    done = run_finetune(config, out.parent / "tuned")
    assert done is not None
    write_finetune(done, out.parent / "tuned")
    return done


def test_a_font_it_never_saw_is_learnt(tuned: Finetuned) -> None:
    rows = tuned.factors[tuned.factors["factor"] == "font_family"].set_index("level")
    assert rows.loc["Lobster", "low"] > 0


def test_the_share_that_was_saved_is_the_best_reader(tuned: Finetuned) -> None:
    best = max(mixture.reading for mixture in tuned.mixtures)
    saved = next(mixture for mixture in tuned.mixtures if mixture.alpha == tuned.alpha)
    assert saved.reading == best
    assert tuned.mixtures[0].drift == pytest.approx(0, abs=1e-6)
    assert saved.drift > 0
    assert tuned.retention.drift.mean == pytest.approx(saved.drift, abs=1e-5)


def test_a_limit_of_nothing_keeps_everything(
    tuned: Finetuned, data: Path, tmp_path: Path
) -> None:
    # It must retain everything that it already reads.
    config = replace(tuned.config, retention=data, retention_limit=0.0)
    done = run_finetune(replace(config, schedule=replace(config.schedule, n_steps=4)), tmp_path)
    assert done is not None
    assert done.retention.title == f"words of {data}"
    kept = {mixture.alpha: mixture.kept for mixture in done.mixtures}
    assert kept[done.alpha] >= kept[0.0]


def test_class_folders_can_be_what_is_kept(data: Path, model: Path, tmp_path: Path) -> None:
    for name, level in (("night", 20), ("noon_day", 230)):
        (tmp_path / "a" / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.full((30, 40, 3), level + number, np.uint8)
            cv2.imwrite(str(tmp_path / "a" / name / f"{number}.png"), pixels)
    (tmp_path / "a" / "night" / "broken.png").write_bytes(b"")
    config = set_up(model, data, retention=tmp_path / "a", schedule={"n_steps": 1})
    done = run_finetune(config, tmp_path / "r")
    assert done is not None
    assert done.retention.n_seen == 6
    assert done.retention.title == (
        f"{tmp_path / 'a'}, without 1 that cannot be read, such as night/broken.png"
    )


@pytest.mark.parametrize("batches", ["image", "text", "both", "edit"])
def test_every_kind_of_batch_sees_each_pair_once(
    batches: str, data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from probes.training import loader as batches_read

    seen: list[int] = []
    read = batches_read.read_batches

    def watch(pairs, chosen, fit):  # noqa: ANN001, ANN202
        seen.extend(np.concatenate(chosen).tolist())
        return read(pairs, chosen, fit)

    monkeypatch.setattr(batches_read, "read_batches", watch)
    train_model(set_up(model, data, batches=batches, schedule={"n_steps": 0}), tmp_path)
    assert sorted(seen) == list(range(len(seen)))
    assert len(seen) > 300


def test_natural_pairs_join_every_batch(data: Path, model: Path, tmp_path: Path) -> None:
    natural = write_data(tmp_path / "n", 60, splits="1,0,0")
    config = set_up(
        model, data, mix=natural / "train", mix_frac=0.25,
        schedule={"n_steps": 3, "loss": "siglip", "distill": 0.1},
    )  # fmt: skip
    history = train_model(config, tmp_path / "r").history
    assert {"contrast", "drift"} <= set(history[0])


TWO = """
from probes.training import finetune
from synthtext_cli.app import main
finetune.N_PSEUDOWORDS = 4
main()
"""


def test_two_processes_train_one_model(data: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(TWO)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
        str(tmp_path / "two.py"), "finetune", "--model", str(model), "--arm", "scratch",
        "--data", str(data), "--steps", "3", "--batch-size", "32", "--batches", "text",
        "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("held-out words ") >= 1
    assert (tmp_path / "out/report.html").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"arm": "brain"}, "arm is 'brain'; it is one of head, vision, full, lora, scratch"),
        (
            {"batches": "hard"},
            "batches is 'hard'; it is one of random, image, text, both, edit",
        ),
        ({"schedule": {"loss": "l2"}}, "loss is 'l2'; it is one of clip, siglip"),
        ({"batch_size": 999}, "a batch of 999 is larger than the "),
        (
            {"exclude": parse_exclusion(["case=upper"])},
            "every image has an excluded level",
        ),
        (
            {"exclude": parse_exclusion(["font_category=scripts"])},
            "no image of ",
        ),
        (
            {"arm": "scratch", "schedule": {"distill": 1.0}},
            "scratch has no original to distil from; leave out --distill",
        ),
        (
            {"templates": ("a word",)},
            "the template 'a word' has no place for a word; add {}",
        ),
    ],
)
def test_what_cannot_be_trained_is_said(
    options: dict[str, object], sentence: str, data: Path, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ProbeError) as caught:
        train_model(set_up(model, data, **options), tmp_path)
    assert str(caught.value).startswith(sentence)


def test_an_empty_split_is_said(model: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "d", 40, splits="1,0,0")
    for split, train in (("val", train_model), ("test", run_finetune)):
        with pytest.raises(DatasetError) as caught:
            train(set_up(model, data), tmp_path / "r")
        expected = f"{data} has no images in the split {split!r}; it has train"
        assert str(caught.value) == expected


def test_bad_input_is_one_line_and_exit_code_2(data: Path, tmp_path: Path) -> None:
    options = ("--model", "bundled", "--arm", "hed", "--data", data, "--out", tmp_path)
    done = run("finetune", *options)
    assert done.returncode == 2
    assert done.stderr == (
        "synthtext: arm is 'hed'; it is one of head, vision, full, lora, scratch\n"
    )


def test_patches_and_prompts_train_too(data: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "m", PATCHED)
    config = set_up(
        model, data, templates=("{}", "a {}"), resamples=True, checkpointing=True,
        schedule={"n_steps": 2, "lowers": True},
    )  # fmt: skip
    assert train_model(config, tmp_path / "r").history[-1]["step"] == 2
