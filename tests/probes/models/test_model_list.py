from __future__ import annotations

import os
from pathlib import Path

import pytest

from probes.errors import ProbeError
from probes.models.model_list import (
    MAX_BYTES,
    MAX_MODELS,
    WantedModel,
    name_folders,
    read_model_list,
)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "models.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_line_is_a_name_and_its_weights(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "\ufeff# those of OpenAI\r\nViT-B-32 openai\r\n\n  ViT-L-14\topenai  # the large one\n"
        "hf-hub:a/b\n'my models/x' 'TAG=a file.pt'\n",
    )
    assert read_model_list(path) == (
        WantedModel("ViT-B-32", "openai"),
        WantedModel("ViT-L-14", "openai"),
        WantedModel("hf-hub:a/b"),
        WantedModel("my models/x", "TAG=a file.pt"),
    )


REMEDY = "give a text file with a line for each model, its name and its weights"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", f"lists no models; {REMEDY}"),
        ("# nothing\n \n", f"lists no models; {REMEDY}"),
        (b"\xff\xfe", f"is not UTF-8 (invalid start byte); {REMEDY}"),
        ("a\nb c d\n", "has more than a name and weights in line 2, 'b c d'; put a name with a space in quotes"),
        ("a ''\n", "has more than a name and weights in line 1, \"a ''\"; put a name with a space in quotes"),
        ("a 'b\n", f"has an open quote in line 1, \"a 'b\"; {REMEDY}"),
        ("a\x1b[2Jb\n", f"has a hidden character in line 1, 'a\\x1b[2Jb'; {REMEDY}"),
        ("a\x00b\n", f"has a hidden character in line 1, 'a\\x00b'; {REMEDY}"),
        ("\u202ea\n", f"has a hidden character in line 1, '\\u202ea'; {REMEDY}"),
        ("x" * 5000, f"has more than a name and weights in line 1, '{'x' * 27}...{'x' * 28}'; put a name with a space in quotes"),
        ("a\n" * (MAX_MODELS + 1), f"lists more than {MAX_MODELS:,} models; give fewer at a time"),
        (b"#" * (MAX_BYTES + 1), f"is larger than 1 MiB; {REMEDY}"),
    ],
)  # fmt: skip
def test_a_hostile_list_is_one_sentence(
    content: str | bytes, sentence: str, tmp_path: Path
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ProbeError) as caught:
        read_model_list(path)
    assert str(caught.value) == f"{path} {sentence}"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ProbeError, match="is a pipe and not a regular file"):
        read_model_list(tmp_path / "pipe")


def test_no_name_leaves_the_folder_or_meets_another() -> None:
    names = [
        "ViT-B-32", "vit-b-32", "..", ".", "/", "../../etc", "a/b", "c/b", "a_b", "plots",
        "hf-hub:a/b", "python:a:b", "C:\\x", "-rf", "x" * 900, "x" * 901, "猫", "犬", "a@b", " ",
    ]  # fmt: skip
    wanted = [WantedModel(name) for name in names] + [WantedModel("a", "b")]
    folders = name_folders(wanted)
    assert len(set(folders)) == len(wanted)
    for folder in folders:
        assert folder == Path(folder).name
        assert folder.isascii()
        assert len(folder) < 100
        assert not folder.startswith((".", "-"))
    assert folders[names.index("ViT-B-32")] == "ViT-B-32"
    assert folders[-1] == "a@b"
    assert "plots" not in folders
    # Other entries of the list change nothing.
    assert [name_folders([model])[0] for model in wanted] == folders


def test_a_model_that_is_listed_twice_is_named() -> None:
    with pytest.raises(ProbeError) as caught:
        name_folders([WantedModel("a", "b"), WantedModel("a"), WantedModel("a", "b")])
    assert str(caught.value) == "a b is listed twice; list each model once"
