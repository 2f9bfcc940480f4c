from __future__ import annotations

import itertools
import re
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtext.errors import WordsError
from synthtext.texts.patterns import PATTERNS, draw_matches, read_pattern

ATOMS = st.sampled_from(["a", "b", "[ab]", "[^ -`c-~]", "a?", "b{0,2}", "(a|b)", "(ab|a|)"])


@given(parts=st.lists(ATOMS, min_size=1, max_size=4))
@settings(max_examples=80)
def test_every_match_is_drawn_once(parts: list[str]) -> None:
    pattern = "".join(parts)
    texts = ("".join(text) for n in range(9) for text in itertools.product("ab", repeat=n))
    matching = {text for text in texts if re.fullmatch(pattern, text)}
    drawn = draw_matches(pattern, 10_000, 0)
    assert len(drawn) == len(set(drawn)) == read_pattern(pattern).counts[0]
    assert set(drawn) == matching


@pytest.mark.parametrize("name", PATTERNS)
def test_texts_of_a_named_pattern_match_it(name: str) -> None:
    drawn = draw_matches(name, 300, 1)
    assert len(set(drawn)) == 300
    assert all(re.fullmatch(PATTERNS[name], text) for text in drawn)


def test_texts_are_drawn_evenly_however_they_are_spelt() -> None:
    # 25 of 26 texts begin with a; choosing branches evenly would give half of them a b.
    counts = Counter(
        text[0]
        for seed in range(400)
        for text in draw_matches("a[c-z][x]|a[b]|b(c|c|c)", 2, seed)
    )
    assert counts["b"] / 800 == pytest.approx(1 / 26, abs=0.02)


def test_a_seed_gives_the_same_texts_and_another_gives_others() -> None:
    pattern = r"[A-Z]{2}-\d{4}"
    assert draw_matches(pattern, 5, 3) == draw_matches(pattern, 5, 3)
    assert draw_matches(pattern, 5, 3) != draw_matches(pattern, 5, 4)
    assert draw_matches(pattern, 5, 3) == draw_matches(pattern, 9, 3)[:5]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a+", "matches texts of unlimited length; write {0,8} for * or +"),
        ("a{201}", "matches texts of 201 characters; give a simpler one"),
        ("[a-z]{60}", "matches more than 10^57 texts; give a simpler one"),
        ("[^ -~]", "matches no text; give a simpler one"),
        ("(){1000000000}", "has more than 20,000 parts; give a simpler one"),
        ("(.{0,12}a.{12}){3}", "can continue in too many ways; give a simpler one"),
        (r"(a)\1", "asks for groupref; leave it out"),
        ("^a$", "asks for at; leave it out"),
        ("(?=a)a", "asks for assert; leave it out"),
        ("(?i)a", "sets a flag; give a simpler one"),
        ("(?i:a)", "sets a flag; give a simpler one"),
        ("[", "cannot be read (unterminated character set at position 0); see Python's `re`"),
        ("a" * 501, "is 501 characters long; give a simpler one"),
        (
            "[\u0000-\U0010ffff]",
            "has a class of more than 30,000 characters; give a simpler one",
        ),
    ],
)
def test_what_explodes_is_refused_at_once(pattern: str, message: str) -> None:
    begin = time.process_time()
    with pytest.raises(WordsError) as caught:
        draw_matches(pattern, 5, 0)
    assert str(caught.value).endswith(f"' {message}")
    assert time.process_time() - begin < 10
