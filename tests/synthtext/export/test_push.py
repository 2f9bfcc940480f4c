"""Datasets on a hub on this machine: sent once, whole, described, and never with the token."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from dataset_hub import TOKEN, Shelf, serve_datasets
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.dataset.verify import verify_dataset
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import DatasetError, ShardError
from synthtext.export import push
from synthtext.export.push import push_dataset
from synthtext.recipe import default_recipe, edit_recipe, read_recipe
from synthtext.texts.words import make_texts

# The hub's client uploads as httpx advises against.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


N_BEFORE_UPLOADS = 5
"""Requests before the first file is sent: they make the repository and ask what it has."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, fonts: Catalogue) -> Path:
    folder = tmp_path_factory.mktemp("data") / "out"
    recipe = edit_recipe(
        default_recipe(), {"shard_size": "4", "font_family": "Lato,Lobster", "width_px": "96"}
    )
    texts = make_texts([f"word{k}" for k in range(16)], [None] * 16, "my words.txt")
    render_dataset(make_plan(recipe, {"word": texts}, fonts), folder)
    return folder


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shelf]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with serve_datasets() as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        yield served


def test_a_pushed_dataset_is_the_dataset_with_its_card(
    data: Path, shelf: Shelf, fonts: Catalogue, tmp_path: Path
) -> None:
    done = push_dataset(data, "org/words", fonts=fonts, private=True)
    assert shelf.private == {"org/words"}
    assert done.url == f"{shelf.url}/datasets/org/words"
    files = shelf.files["org/words", "main"]
    assert done.n_sent == len(files) - 1  # It has a .gitattributes of its own.
    assert "dataset.json" in shelf.commits[-1]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert list(verify_dataset(tmp_path)) == []
    card = files["README.md"].decode()
    assert "![A few of the images](preview.jpg)" in card
    assert re.search(r"\| Lato \| OFL-1\.1 \| \d+ \|\n\| Lobster \| OFL-1\.1 \| \d+ \|", card)
    assert (
        "synthtext render --recipe recipe.toml --words 'my words.txt' --seed 0 --count 16"
        " --out data"
    ) in card
    (tmp_path / "recipe.toml").write_text(card.split("```toml\n")[1].split("\n```")[0])
    assert tomllib.loads((tmp_path / "recipe.toml").read_text())["width_px"] == "96"
    assert str(read_recipe(tmp_path / "recipe.toml").draws["font_family"]) == "Lato,Lobster"


def test_what_is_there_is_not_sent_again(
    data: Path, shelf: Shelf, fonts: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "N_PER_COMMIT", 2)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    shelf.refuse["/commit/"] = 400
    with pytest.raises(DatasetError):
        push_dataset(data, "org/words", fonts=fonts)
    n_before = len(shelf.uploads)
    assert n_before == 2  # Sent, though not committed.
    shelf.refuse.clear()
    first = push_dataset(data, "org/words", fonts=fonts)
    assert len(shelf.uploads) == len(set(shelf.uploads)) > n_before
    again = push_dataset(data, "org/words", fonts=fonts)
    assert (again.n_sent, again.n_kept) == (0, first.n_sent)
    shelf.files["org/words", "main"]["train/000099.tar"] = b"old"
    shelf.files["org/words", "main"]["classnames.txt"] = b"changed"
    last = push_dataset(data, "org/words", fonts=fonts)
    assert last.n_sent == 1
    assert last.strays == ("train/000099.tar",)


def test_a_branch_is_made(data: Path, shelf: Shelf, fonts: Catalogue) -> None:
    push_dataset(data, "org/words", fonts=fonts, branch="v2")
    push_dataset(data, "org/words", fonts=fonts, branch="v2")
    assert list(shelf.files["org/words", "main"]) == [".gitattributes"]
    assert "dataset.json" in shelf.files["org/words", "v2"]


def test_a_font_that_is_not_known_is_said(data: Path, shelf: Shelf, fonts: Catalogue) -> None:
    bare = Catalogue({k: v for k, v in fonts.fonts.items() if "Lobster" not in k})
    push_dataset(data, "org/words", fonts=bare)
    card = shelf.files["org/words", "main"]["README.md"].decode()
    assert "| `Lobster_400Regular.ttf` | unknown, since it is not among the fonts" in card


AGAIN = "run the same command again, which sends only what is missing"


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        (
            "create",
            401,
            "the hub does not accept the token; run `hf auth login`, or set HF_TOKEN",
        ),
        (
            "",
            403,
            "the token may not write to org/words; make one that may write, or give another name",
        ),
        (
            "preupload",
            403,
            "the token may not write to org/words; make one that may write, or give another name",
        ),
        (
            "create",
            404,
            "the hub has no org/words, and the token may not make it; check the name",
        ),
        ("paths-info", 400, f"the hub answered with status 400; {AGAIN}"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(
    path: str, status: int, sentence: str, data: Path, shelf: Shelf, fonts: Catalogue
) -> None:
    shelf.refuse[path] = status
    with pytest.raises(DatasetError) as caught:
        push_dataset(data, "org/words", fonts=fonts)
    assert str(caught.value) == sentence


def test_a_token_is_needed_and_never_printed(
    data: Path, shelf: Shelf, fonts: Catalogue, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", TOKEN + "wrong")
    with pytest.raises(DatasetError) as caught:
        push_dataset(data, "org/words", fonts=fonts)
    assert str(caught.value).startswith("the hub does not accept the token; ")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(DatasetError) as caught:
        push_dataset(data, "org/words", fonts=fonts)
    assert str(caught.value) == (
        "there is no token for the Hugging Face hub; run `hf auth login`, or set HF_TOKEN"
    )
    assert shelf.files == {}
    assert "secret" not in "".join(capfd.readouterr())


def test_without_a_network_nothing_is_waited_for(
    data: Path, shelf: Shelf, fonts: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DatasetError) as caught:
        push_dataset(data, "org/words", fonts=fonts)
    assert re.fullmatch(
        r"the push to org/words failed \(.*refused.*\); run the same command again when the hub"
        r" can be reached, which sends only what is missing",
        str(caught.value),
    )


def test_a_network_that_is_lost_is_one_sentence_alone(
    data: Path, shelf: Shelf, fonts: Catalogue, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    asked: list[object] = []
    connect = socket.create_connection

    def lose(*rest: Any, **options: Any) -> socket.socket:  # noqa: ANN401
        asked.append(rest)
        if len(asked) > N_BEFORE_UPLOADS:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        return connect(*rest, **options)

    monkeypatch.setattr(socket, "create_connection", lose)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    logging.getLogger("huggingface_hub").addHandler(caplog.handler)
    with pytest.raises(DatasetError) as caught:
        push_dataset(data, "org/words", fonts=fonts)
    logging.getLogger("huggingface_hub").removeHandler(caplog.handler)
    assert caplog.records == []
    assert re.match(
        r"the push to org/words failed \((.*unreachable|the connection was lost)\); run the same",
        str(caught.value),
    )


@pytest.mark.parametrize("name", ["classnames.txt", "train/000000.tar", "dataset.json"])
def test_what_is_not_whole_is_not_sent(
    name: str, data: Path, shelf: Shelf, fonts: Catalogue, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    raw = (copy / name).read_bytes()
    (copy / name).write_bytes(raw.replace(b"1", b"2"))
    with pytest.raises((DatasetError, ShardError)) as caught:
        push_dataset(copy, "org/words", fonts=fonts)
    assert str(caught.value).startswith(str(copy / name))
    assert shelf.files == {}


def test_bad_names_are_said(
    data: Path, fonts: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for repo, branch, sentence in (
        ("words", None, "'words' is not the name of a repository; write ORG/NAME"),
        ("org/words", "a b", "'a b' is not the name of a branch; write one like 'v2'"),
    ):
        with pytest.raises(DatasetError) as caught:
            push_dataset(data, repo, fonts=fonts, branch=branch)
        assert str(caught.value) == sentence
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DatasetError) as caught:
        push_dataset(data, "org/words", fonts=fonts)
    assert (
        str(caught.value) == "push needs huggingface_hub; run: pip install 'synthtext[export]'"
    )
