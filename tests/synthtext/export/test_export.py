"""Exports that cannot be, and those that are broken off."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command_line import run
from synthtext.errors import DatasetError
from synthtext.export.export import export_dataset
from synthtext.export.formats import CROPS, TARGETS


def test_what_is_there_is_left_whole(data: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "kept").write_text("x")
    sentence = f"{tmp_path / 'old'} already exists; give a new folder, or remove it"
    for target in TARGETS:
        with pytest.raises(DatasetError) as caught:
            export_dataset(data, tmp_path / "old", target, crops=target in CROPS)
        assert str(caught.value) == sentence
    done = run("export", data, "--to", "icdar", "--out", tmp_path / "old")
    assert (done.returncode, done.stderr) == (2, f"synthtext: {sentence}\n")
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["kept"]


def test_bad_targets_are_said(data: Path, tmp_path: Path) -> None:
    for target, crops, sentence in (
        ("lmbd", False, "there is no export format 'lmbd'; choose one of folder, parquet, lmdb, doctr, paddleocr, icdar, totaltext, coco, easyocr, tesstrain, mmocr, yolo, yolo-obb, yolo-seg, page, alto, vlmeval, lmms-eval, clip-benchmark"),
        ("coco", True, "coco takes whole images; leave out --crops"),
        ("tesstrain", False, "tesstrain takes one word per image; add --crops"),
    ):  # fmt: skip
        with pytest.raises(DatasetError) as caught:
            export_dataset(data, tmp_path / "out", target, crops=crops)
        assert str(caught.value) == sentence
    inside = data / "train" / "export"
    with pytest.raises(DatasetError) as caught:
        export_dataset(data, inside, "coco")
    assert str(caught.value) == (
        f"{inside} lies in the dataset {data} that the command reads; give another --out"
    )
    assert not inside.exists()


def test_a_package_that_is_missing_is_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(DatasetError) as caught:
        export_dataset(data, tmp_path / "out", "lmdb")
    assert str(caught.value) == "this export needs lmdb; run: pip install 'synthtext[export]'"
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource, sys
from synthtext_cli import app
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = ["synthtext", "export", sys.argv[1], "--to", sys.argv[2], "--out", sys.argv[3]]
app.main()
"""
"""A file that may not grow simulates a full disk."""


@pytest.mark.parametrize("target", ["lmdb", "parquet"])
def test_a_disk_that_takes_no_more_is_one_sentence(
    target: str, data: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(data), target, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"synthtext: {tmp_path / 'out'} cannot be written (")
    assert done.stderr.endswith(
        "; nothing was left there, so fix that and run the same command again\n"
    )
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGKILL])
def test_an_export_that_is_broken_off_leaves_nothing_that_looks_done(
    which: signal.Signals, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "cli",
        "export",
        str(data),
        "--to",
        "icdar",
        "--out",
        str(out),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob(".out.*.part/*/images/*")) and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(which)
    _, printed = process.communicate()
    if process.returncode == 130:
        assert printed == f"stopped; nothing was written to {out}\n"
    assert process.returncode == 0 or not out.exists()
    if not out.exists():
        subprocess.run(command, check=True, capture_output=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
