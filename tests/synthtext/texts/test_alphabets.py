from __future__ import annotations

from pathlib import Path

import pytest

from synthtext.errors import WordsError
from synthtext.texts.alphabets import read_alphabet


def test_an_alphabet_is_given_as_such_as_a_class_or_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "chars.txt"
    file.write_text("a\nb\n#\nb\n é\n")
    assert read_alphabet("bad ab") == ("b", "a", "d")
    assert read_alphabet(r"[a-c\d€]") == (*"0123456789", "a", "b", "c", "€")
    assert read_alphabet(str(file)) == ("a", "b", "#", "é")
    assert read_alphabet("[]") == ("[", "]")
    # Characters are those of Unicode's form NFC, as those of words are.
    assert read_alphabet("e\u0301") == ("é",)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("  ", "the alphabet '' has 0 characters; give 1 to 50,000, such as '[a-z0-9]'"),
        ("[ab][cd]", "the alphabet '[ab][cd]' is not one class; write it as in [a-z0-9]"),
        ("a\x07", r"the alphabet 'a\x07' has the control character U+0007; remove it"),
        ("[b-a]", "the pattern '[b-a]' cannot be read (bad character range b-a at position 1); see Python's `re`"),
    ],
)  # fmt: skip
def test_what_is_not_an_alphabet_is_refused(source: str, message: str) -> None:
    with pytest.raises(WordsError) as error:
        read_alphabet(source)
    assert str(error.value) == message
