from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synthtext.dataset.generate import render_dataset
from synthtext.dataset.manifest import read_manifest
from synthtext.dataset.merge import merge_datasets
from synthtext.dataset.plan import Plan, choose_part, make_plan
from synthtext.dataset.verify import verify_dataset
from synthtext.drawing.fonts import Catalogue
from synthtext.engine import run_tasks
from synthtext.errors import DatasetError
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.storage import lock_folder, move_file, parse_folder, write_whole
from synthtext.texts.words import Texts


@pytest.fixture
def plan(words: Texts, fonts: Catalogue) -> Plan:
    recipe = edit_recipe(default_recipe(), {"shard_size": "10"})
    return make_plan(recipe, {"word": words}, fonts, seed=3, count=60)


def read_all(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def whole(plan: Plan, tmp_path: Path) -> dict[str, bytes]:
    render_dataset(plan, tmp_path / "whole")
    return read_all(tmp_path / "whole")


# Parts.


@pytest.mark.parametrize(
    ("part", "chosen"),
    [("0:3", [0, 1, 2]), ("5:99", [5, 6, 7]), ("0/3", [0, 1]), ("1/3", [2, 3, 4]),
     ("2/3", [5, 6, 7]), ("0/1", list(range(8))), ("9/10", [7])],
)  # fmt: skip
def test_parts_of_eight_shards(part: str, chosen: list[int]) -> None:
    assert list(choose_part(part, 8)) == chosen


@pytest.mark.parametrize("n_shards", [1, 7, 8, 100])
@pytest.mark.parametrize("n_parts", [1, 3, 8, 13])
def test_parts_are_the_whole(n_shards: int, n_parts: int) -> None:
    parts = [choose_part(f"{k}/{n_parts}", n_shards) for k in range(n_parts)]
    assert [shard for part in parts for shard in part] == list(range(n_shards))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("3", "shards is '3'; write A:B, or K/N for part K of N"),
        ("3/3", "shards is '3/3'; parts are counted from 0/3"),
        ("8:9", "shards is '8:9'; there are 8, counted from 0"),
        ("-1:2", "shards is '-1:2'; write A:B, or K/N for part K of N"),
    ],
)
def test_a_part_that_cannot_be_is_named(part: str, sentence: str) -> None:
    with pytest.raises(DatasetError) as caught:
        choose_part(part, 8)
    assert str(caught.value) == sentence


def test_who_draws_the_last_shard_finishes_the_dataset(
    plan: Plan, whole: dict[str, bytes], tmp_path: Path
) -> None:
    for part, is_complete in (("2/3", False), ("0/3", False), ("1/3", True)):
        manifest = render_dataset(plan, tmp_path / "shared", part=part)
        assert manifest["complete"] == is_complete
        assert read_manifest(tmp_path / "shared")["complete"] == is_complete
    assert read_all(tmp_path / "shared") == whole


def test_parts_in_folders_of_their_own_are_merged(
    plan: Plan, whole: dict[str, bytes], tmp_path: Path
) -> None:
    parts = [tmp_path / str(k) for k in range(3)]
    for k, folder in enumerate(parts):
        render_dataset(plan, folder, part=f"{k}/3")
    with pytest.raises(DatasetError) as caught:
        merge_datasets(parts[:2], tmp_path / "all")
    n_missing = len(choose_part("2/3", 8))
    assert str(caught.value) == (
        f"{tmp_path / 'all'} still lacks {n_missing} of 8 shards, such as train/000005.tar; render them with --shards, and merge again"
    )
    # Existing shards stay, and the next merge continues; a part may be given twice.
    merge_datasets([parts[2], parts[0]], tmp_path / "all")
    assert read_all(tmp_path / "all") == whole


def test_a_merge_that_was_killed_after_a_move_goes_on(
    plan: Plan, whole: dict[str, bytes], tmp_path: Path
) -> None:
    part, out = tmp_path / "part", tmp_path / "all"
    render_dataset(plan, part, part="0:7")
    render_dataset(plan, out, part="7:8")
    move_file(part / "train/000002.tar", out / "train/000002.tar")
    merge_datasets([part], out)
    assert read_all(out) == whole


def test_parts_of_two_plans_are_not_merged(plan: Plan, tmp_path: Path) -> None:
    other = make_plan(plan.recipe, plan.texts, plan.fonts, seed=4, count=60)
    render_dataset(plan, tmp_path / "a", part="0:1")
    render_dataset(other, tmp_path / "b", part="1:2")
    with pytest.raises(DatasetError) as caught:
        merge_datasets([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert str(caught.value) == (
        f"{tmp_path / 'b'} was started with seed 4, not 3; use the same again, or give another folder"
    )


def test_a_merge_is_a_command(plan: Plan, whole: dict[str, bytes], tmp_path: Path) -> None:
    for k in range(2):
        render_dataset(plan, tmp_path / str(k), part=f"{k}/2")
    done = subprocess.run(
        [sys.executable, "-m", "synthtext_cli", "merge", str(tmp_path / "0"), str(tmp_path / "1"),
         "--out", str(tmp_path / "all")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "60 of 60" in done.stdout
    found = read_all(tmp_path / "all")
    assert {name: found[name] for name in whole} == whole
    assert "README.md" in found


# Repair.


def damage(path: Path, how: str) -> None:
    raw = bytearray(path.read_bytes())
    if how == "delete":
        path.unlink()
        return
    if how == "truncate":
        del raw[len(raw) // 2 :]
    elif how == "flip":
        raw[len(raw) // 2] ^= 1
    else:
        raw = bytearray(path.with_name("000001.tar").read_bytes())
    path.write_bytes(raw)


@pytest.mark.parametrize("how", ["delete", "truncate", "flip", "replace"])
def test_a_damaged_shard_is_named_and_drawn_again(
    how: str, plan: Plan, whole: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "whole"
    damage(folder / "train/000003.tar", how)
    assert any("000003.tar" in fault for fault in verify_dataset(folder))
    drawn: list[int] = []
    render_dataset(plan, folder, repairs=True, on_progress=lambda _, n, __: drawn.append(n))
    assert read_all(folder) == whole
    # The others are not changed.
    assert drawn[0] == 50


# Locks.


def test_two_runs_do_not_write_to_one_folder(plan: Plan, tmp_path: Path) -> None:
    with lock_folder(tmp_path / "out"), pytest.raises(DatasetError) as caught:
        render_dataset(plan, tmp_path / "out")
    assert str(caught.value) == (
        f"another process is writing to {tmp_path / 'out'}; wait for it, or give another folder"
    )
    render_dataset(plan, tmp_path / "out")


def test_parts_share_a_folder_but_not_with_a_whole_run(plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with lock_folder(out, is_shared=True):
        render_dataset(plan, out, part="0:1")
        with pytest.raises(DatasetError, match="another process is writing"):
            render_dataset(plan, out)


# Addresses.


def test_an_address_is_told_from_a_path(tmp_path: Path) -> None:
    assert parse_folder("data/words") == Path("data/words")
    assert parse_folder(f"file://{tmp_path}") == tmp_path
    assert type(parse_folder("file:///x")) is type(Path())
    with pytest.raises(DatasetError) as caught:
        parse_folder("nowhere://words")
    assert str(caught.value).endswith("run: pip install 'synthtext[remote]'")


def test_a_file_that_is_not_finished_is_never_seen(tmp_path: Path) -> None:
    for folder in (tmp_path, parse_folder("memory://unfinished")):
        with write_whole(folder / "a") as file:
            file.write(b"old")
        with contextlib.suppress(KeyboardInterrupt), write_whole(folder / "a") as file:
            file.write(b"new")
            raise KeyboardInterrupt
        assert (folder / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def check_remote(folder: Path, plan: Plan, whole: dict[str, bytes]) -> None:
    """Draw a dataset at an address, in two runs, and read it back."""
    render_dataset(plan, folder, part="0:4")
    assert not read_manifest(folder)["complete"]
    render_dataset(plan, folder)
    assert {name: (folder / name).read_bytes() for name in whole} == whole
    assert list(verify_dataset(folder)) == []
    (folder / "train/000003.tar").unlink()
    assert any("000003.tar" in fault for fault in verify_dataset(folder))
    render_dataset(plan, folder, repairs=True)
    assert list(verify_dataset(folder)) == []


def test_memory_holds_the_same_bytes(plan: Plan, whole: dict[str, bytes]) -> None:
    check_remote(parse_folder("memory://words"), plan, whole)


def test_a_server_of_s3_holds_the_same_bytes(
    plan: Plan, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"), ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_DEFAULT_REGION", "us-east-1"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem().mkdir("bucket")
        check_remote(parse_folder("s3://bucket/words"), plan, whole)
        done = subprocess.run(
            [sys.executable, "-m", "synthtext_cli", "verify", "s3://bucket/words"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (
            0,
            "s3://bucket/words is complete and undamaged\n",
        )
        done = subprocess.run(
            [sys.executable, "-m", "synthtext_cli", "render", "--words", "en", "--count", "40",
             "--shard-size", "10", "--workers", "2", "--out", "s3://bucket/more"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert s3fs.S3FileSystem().exists("bucket/more/preview.jpg")
    finally:
        server.stop()


# Engines.


def _square(number: int) -> int:
    return number * number


def _wait_and_square(folder: Path, number: int) -> int:
    (folder / f"{number}.begun").touch()
    time.sleep(0.3)
    return number * number


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(DatasetError) as caught:
        run_tasks(_square, [1], 1, "slurm")
    assert str(caught.value) == "engine is 'slurm'; it is local or ray"


@pytest.mark.parametrize("n_workers", [1, 2])
def test_results_come_whatever_the_workers(n_workers: int) -> None:
    assert sorted(run_tasks(_square, [3, 1, 2], n_workers)) == [1, 4, 9]


RAY = """
import functools, sys
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from synthtext.drawing.fonts import read_catalogue
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
extra = cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False)
assert len([node for node in ray.nodes() if node["Alive"]]) == 2
words = [f"word{k}" for k in range(400)]
recipe = edit_recipe(default_recipe(), {"shard_size": "20"})
texts = {"word": make_texts(words, [None] * len(words), "words")}
plan = make_plan(recipe, texts, read_catalogue(), seed=3, count=400)
is_killed = False

def kill_once(unit, n_done, n_all):
    global is_killed
    if n_done >= 80 and not is_killed:
        is_killed = True
        cluster.remove_node(extra, allow_graceful=False)

render_dataset(plan, Path(sys.argv[1]), engine="ray", on_progress=kill_once)
assert is_killed
render_dataset(plan, Path(sys.argv[2]))
ray.shutdown()
cluster.shutdown()
"""


def test_a_cluster_that_loses_a_node_writes_the_same_bytes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAY, str(tmp_path / "ray"), str(tmp_path / "local")],
        capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = read_all(tmp_path / "ray")
    assert len(found) > 20
    assert found == read_all(tmp_path / "local")
    shutil.rmtree(tmp_path)
