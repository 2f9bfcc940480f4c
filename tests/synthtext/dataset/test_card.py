from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from probes.reports.page import Figure, Page, fill_page
from probes.tables import Table
from synthtext.dataset.card import PLAIN, escape_markdown, format_card, quote_markdown
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import Catalogue
from synthtext.recipe import default_recipe
from synthtext.texts.words import Texts, read_words

HOSTILE = [
    "<script>alert(1)</script>",
    "x\n# heading\n",
    "x\n---\nlicense: evil\n---\n",
    "a | b | c",
    "`</code><img src=x onerror=alert(1)>`",
    "![x](http://evil/x.png) www.evil.com",
    "' onmouseover='alert(1)",
    '"><svg onload=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "</title></script>]]>",
    "\u202e\x1b[2J\0\udce9",
]


class Tags(HTMLParser):
    """Lists the elements of a page, with their attributes, and collects its text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def fill(text: str) -> Tags:
    table = Table(text, (text, text), ((text, text),), text)
    picture = {"png": "", "truth": text, "guess": text + "x", "facts": text}
    font = dict.fromkeys(("png", "name", "baseline", "n", "accuracy", "interval"), text)
    page = Page(
        title=text, verdict=text, headline=table, figures=[Figure("a", text, b"\x89PNG", is_wide=True)],
        note=text, tables=[table], facts=[(text, text)], fonts=[font],
        pictures=[{"title": text, "pictures": [picture]}],
    )  # fmt: skip
    tags = Tags()
    tags.feed(fill_page(page))
    tags.close()
    return tags


@pytest.mark.parametrize("text", HOSTILE)
def test_a_report_shows_hostile_text_and_nothing_runs(text: str) -> None:
    plain, hostile = fill("plain"), fill(text)
    assert hostile.found == plain.found
    tags = [tag for tag, _ in hostile.found]
    assert not {"svg", "iframe", "link", "object"} & set(tags)
    assert tags.count("script") == 2  # The data, and the script of the page.
    shown = "".join(hostile.text)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    fills = text.encode("unicode_escape").decode() if not text.isprintable() else text
    assert fills.replace("\\\\", "\\") in shown
    assert not any(value.startswith(("http", "javascript")) for value in hostile.values)


def test_a_report_may_load_nothing() -> None:
    assert "default-src 'none'" in "".join(fill("plain").values)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_hostile_text_on_one_line(text: str) -> None:
    for written in (quote_markdown(text), escape_markdown(text)):
        assert "\n" not in written
        if PLAIN.fullmatch(written):
            continue
        if written.startswith("`"):
            assert re.fullmatch(r"`[^`|]+`", written)
        else:
            # Each mark is escaped by a backslash, so none is interpreted.
            assert re.fullmatch(r"(?:\\[!-/:-@\[-`{-~]|[\w\s])*", written)


@pytest.mark.parametrize(
    "text", ["ViT-B-32 openai", "12.3 %", "+1.2 to +3.4", "Gained: +1.2 points"]
)
def test_plain_text_stands_as_it_is(text: str) -> None:
    assert escape_markdown(text) == text


@pytest.mark.parametrize("name", ["`<img src=x>`|", "x\n# y", "a---b", "<b>\x1b[2J"])
def test_the_name_of_a_word_list_stays_a_name(
    name: str, words: Texts, fonts: Catalogue, tmp_path: Path
) -> None:
    (tmp_path / f"{name}.txt").write_text("\n".join(words.items))
    (tmp_path / "plain.txt").write_text("\n".join(words.items))
    cards = []
    for file in (f"{name}.txt", "plain.txt"):
        plan = make_plan(
            default_recipe(), {"word": read_words(str(tmp_path / file))}, fonts, count=3
        )
        cards.append(format_card(render_dataset(plan, tmp_path / f"out-{len(cards)}")))
    hostile, plain = (card.splitlines() for card in cards)
    differing = [(a, b) for a, b in zip(hostile, plain, strict=True) if a != b]
    assert len(differing) == 1
    assert differing[0][0].startswith("- 60 texts of kind `word` from ")
