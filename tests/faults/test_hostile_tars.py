"""Malicious tars, with every function and every command that reads shards."""

from __future__ import annotations

import contextlib
import hashlib
import io
import multiprocessing
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import orjson
import pytest

from fuzzing import IS_FULL, MAX_BYTES, MAX_SECONDS, read_peak
from hostile_tars import make_images, make_samples, make_tars, pack
from probes.data.labelled import read_labelled
from probes.data.pairs import read_pairs
from synthtext.dataset.codec import Sample, decode
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.map_style import load
from synthtext.dataset.plan import make_plan
from synthtext.dataset.shards import list_places, pack_samples, read_samples, read_shard
from synthtext.dataset.verify import find_rendering, spread_renderings, verify_dataset
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import ShardError
from synthtext.export.items import read_items, read_shard_items
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts

TINY = Path(__file__).parents[1] / "helpers/tiny.json"

WORDS = [a + b for a in "bcdfgklm" for b in "aeiou"]

KEY = "000000000"

COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "verify": lambda root: ["verify", f"{root}/words"],
    "export": lambda root: ["export", f"{root}/words", "--to", "folder", "--out", f"{root}/out"],
    "show": lambda root: ["show", f"{root}/words", KEY, "--out", f"{root}/out.png"],
    "preview": lambda root: ["preview", f"{root}/words", "--sheet", f"{root}/out.png"],
    "draw": lambda root: ["draw", KEY, "--from", f"{root}/words", "--out", f"{root}/out.png"],
    "index": lambda root: ["index", f"{root}/words"],
    "classify": lambda root: [
        "classify", f"{root}/classes", "--model", str(TINY), "--pretrained", "random",
        "--out", f"{root}/out",
    ],
    "probe": lambda root: [
        "probe", "--data", f"{root}/words", "--model", str(TINY), "--pretrained", "random",
        "--k", "2", "--out", f"{root}/out",
    ],
    "finetune": lambda root: [
        "finetune", "--data", f"{root}/sound", "--mix", f"{root}/classes", "--model", str(TINY),
        "--pretrained", "random", "--arm", "full", "--steps", "1", "--batch-size", "4",
        "--out", f"{root}/out",
    ],
}  # fmt: skip

SLOW = frozenset({"classify", "probe", "finetune"})
"""Commands that load a model, which a short run tries with only some of the cases."""

EXITS = {"verify": {1}}
"""Exit code of a command that lists all faults instead of stopping at the first."""


@pytest.fixture(scope="module")
def root(fonts: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a dataset to damage, an intact one, and labelled images."""
    root = tmp_path_factory.mktemp("tars")
    recipe = edit_recipe(
        default_recipe(), {"width_px": "64", "height_px": "64", "size_px": "16"}
    )
    texts = make_texts(WORDS, [None] * len(WORDS), "syllables")
    render_dataset(make_plan(recipe, {"word": texts}, fonts), root / "words")
    shutil.copytree(root / "words", root / "sound")
    (root / "classes").mkdir()
    (root / "classes/classnames.txt").write_text("cat\ndog\n")
    return root


@pytest.fixture
def sample(root: Path) -> Sample:
    return next(read_samples(root / "sound/train/000000.tar"))


def plant(root: Path, raw: bytes) -> None:
    """Put a tar in every place that commands read, with its checksum, and remove outputs."""
    path = root / "words/dataset.json"
    manifest = orjson.loads(path.read_bytes())
    digest = hashlib.sha256(raw).hexdigest()
    for row in manifest["shards"]:
        (root / "words" / row["file"]).write_bytes(raw)
        row |= {"sha256": digest, "n_bytes": len(raw)}
    # The checksum of the manifest would stop commands before they read the shards.
    manifest.pop("checksum", None)
    path.write_bytes(orjson.dumps(manifest))
    (root / "classes/0.tar").write_bytes(raw)
    shutil.rmtree(root / "out", ignore_errors=True)


def make_harmed(root: Path, command: str) -> dict[str, bytes]:
    """Return valid tars with a damaged sample, by what is wrong with it."""
    whole = next(read_samples(root / "sound/train/000000.tar"))
    # From shards to mix in, only images and captions are read.
    cases = (make_images if command == "finetune" else make_samples)(whole.files)
    return {
        what: pack({f"{whole.key}.{name}": raw for name, raw in files.items()})
        for what, files in cases.items()
    }


READERS: dict[str, Callable[[Path], object]] = {
    "read_samples": lambda root: list(read_samples(root / "classes/0.tar")),
    "list_places": lambda root: list(list_places(root / "classes/0.tar")),
    "read_shard": lambda root: list(read_shard(root / "classes/0.tar")),
    "read_shard_items": lambda root: list(read_shard_items(root / "classes/0.tar")),
    "read_items": lambda root: list(read_items(root / "words", "train")),
    "load": lambda root: load(root / "words"),
    "spread_renderings": lambda root: spread_renderings(root / "words", 4),
    "find_rendering": lambda root: find_rendering(root / "words", KEY),
    "read_labelled": lambda root: read_labelled(root / "classes"),
    "read_pairs": lambda root: read_pairs([root / "classes/0.tar"]),
}


def test_every_reader_refuses_hostile_tars(root: Path) -> None:
    for what, raw in make_tars().items():
        plant(root, raw)
        for name, read in READERS.items():
            with limit_seconds(f"{name}, {what}"), pytest.raises(ShardError) as caught:
                read(root)
            assert "\n" not in str(caught.value), (name, what)
            assert len(str(caught.value)) < 500, (name, what)
        assert len(list(verify_dataset(root / "words"))) > 2, what


def test_no_file_of_a_sample_does_harm(root: Path, sample: Sample) -> None:
    for what, files in make_samples(sample.files).items():
        with limit_seconds(what):
            (root / "classes/0.tar").write_bytes(
                b"".join(pack_samples([Sample(sample.key, files)])) + bytes(1024)
            )
            with pytest.raises(ShardError) as caught:
                list(read_shard_items(root / "classes/0.tar"))
        assert "\n" not in str(caught.value), what
        assert len(str(caught.value)) < 500, what
        if not what.startswith(".cls"):
            with pytest.raises(ShardError):
                decode(Sample(sample.key, files))


@pytest.mark.parametrize("command", COMMANDS)
def test_no_tar_does_harm_to_a_command(
    command: str, root: Path, tally: Callable[[str, int, int, str], None]
) -> None:
    tars = make_tars() | make_harmed(root, command)
    if not IS_FULL:
        step = 20 if command in SLOW else 3
        tars = {what: raw for k, (what, raw) in enumerate(tars.items()) if k % step == 0}
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:
        faults, peak_bytes = pool.submit(try_command, command, root, tars).result()
    tally(f"hostile tars, {command}", len(tars), len(tars) - len(faults),
          "one sentence, within 10 s and 2 GB")  # fmt: skip
    assert faults == []
    assert peak_bytes < MAX_BYTES


def try_command(command: str, root: Path, tars: Mapping[str, bytes]) -> tuple[list[str], int]:
    """Return the faults of a command with malicious tars, and its peak memory."""
    found = []
    # The first run imports and compiles modules, which must not count against a tar.
    plant(root, next(iter(tars.values())))
    run_command(COMMANDS[command](root), {0, 1, 2}, n_seconds=600)
    for what, raw in tars.items():
        plant(root, raw)
        fault = run_command(COMMANDS[command](root), EXITS.get(command, {0, 2}))
        if fault:
            found.append(f"{what}: {fault}")
    return found, read_peak()


def run_command(words: list[str], exits: set[int], n_seconds: float = MAX_SECONDS) -> str:
    """Return what is wrong with how a command ended; empty if nothing is."""
    from synthtext_cli import app

    said = io.StringIO()
    sys.argv = ["synthtext", *words]
    try:
        with (
            limit_seconds(words[0], n_seconds), contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(said),
        ):  # fmt: skip
            app.main()
    except SystemExit as end:
        last = said.getvalue().strip().rpartition("\n")[2]
        if (end.code or 0) not in exits:
            return f"ended with {end.code}: {said.getvalue()[-1000:]}"
        if end.code == 2 and not (last.startswith("synthtext: ") and len(last) < 600):
            return f"ended without a sentence: {said.getvalue()[-1000:]}"
        return ""
    except BaseException:  # noqa: BLE001 - any exception is a fault that was found.
        return traceback.format_exc()
    return "did not end"


@contextlib.contextmanager
def limit_seconds(what: str, n_seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Raise a TimeoutError if a block uses more processor time than allowed."""

    def expire(*_: object) -> None:
        raise TimeoutError(f"{what} took more than {n_seconds} s")

    before = signal.signal(signal.SIGPROF, expire)
    signal.setitimer(signal.ITIMER_PROF, n_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
