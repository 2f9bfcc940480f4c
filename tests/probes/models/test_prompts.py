from __future__ import annotations

import os
from pathlib import Path

import pytest

from probes.errors import ProbeError
from probes.models.prompts import read_templates


def explain(path: Path) -> str:
    with pytest.raises(ProbeError) as caught:
        read_templates(path)
    return str(caught.value)


def test_templates_are_lines_with_a_slot(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    path.write_bytes(b"\xef\xbb\xbfa {}.\r\n\n  {} \n")
    assert read_templates(path) == ("a {}.", "{}")


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    os.mkfifo(path)
    assert explain(path) == f"{path} is a pipe and not a regular file; give a text file"
    assert explain(Path("/dev/zero")) == (
        "/dev/zero is a device and not a regular file; give a text file"
    )
    assert explain(tmp_path / "none").endswith("(no such file or directory); give a text file")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "{} has no template; write one per line, with {{}} for the word"),
        (b"word", "{} has the template 'word'; write {{}} for the word"),
        (b"{}" + b"x" * 1000, "{} line 1 is 1002 characters long; at most 1000 can be drawn, so split the line or delete it"),
        (b"{}\n" * 1001, "{} has 1,001 templates; give at most 1,000"),
        (b"{}\x1b[2J", "{} line 1 contains the control character U+001B; remove it"),
        (b"\xff{}", "{} is not UTF-8 at byte 0; convert it, as with iconv -t utf-8"),
    ],
)  # fmt: skip
def test_hostile_templates_are_refused(raw: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    path.write_bytes(raw)
    assert explain(path) == sentence.format(path)
