from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from command_line import run
from fake_encoders import BlindReader, model_of, vector_of
from probes.data.images import find_broken, keep_readable, list_images, read_image
from probes.errors import ProbeError
from probes.metrics.retrieval import measure_recall
from probes.tasks.matching import compare_all, match_images, share_out
from synthtext_cli.app import _repeat

TEXTS = ["ox", "owl", "ant", "bee"]


class Indexed:
    """Matches an image to the text whose index is its grey level."""

    def embed_images(self, images):  # noqa: ANN001, ANN201
        return np.stack([vector_of(TEXTS[int(pixels[0, 0, 0])]) for pixels in images])

    def embed_texts(self, texts):  # noqa: ANN001, ANN201
        return np.stack([vector_of(text) for text in texts])


def write_pictures(folder: Path) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((9, 12, 3), number, np.uint8))
    return paths


def test_the_best_text_comes_first_with_its_share(tmp_path: Path) -> None:
    entries = match_images(
        model_of(Indexed()), write_pictures(tmp_path), TEXTS, ("{}",), n_best=2
    )
    assert [entry.texts[0] for entry in entries] == TEXTS
    assert all(len(entry.texts) == 2 and entry.shares[0] > 0.99 for entry in entries)


def test_shares_are_a_softmax() -> None:
    shares = share_out(np.array([[0.1, 0.3]], np.float32), 10.0)
    # e^1 and e^3.
    assert shares[0] == pytest.approx([0.1192, 0.8808], abs=1e-4)


def test_who_knows_finds_every_partner(tmp_path: Path) -> None:
    images = [read_image(path) for path in write_pictures(tmp_path)]
    recall = measure_recall(compare_all(model_of(Indexed()), images, TEXTS, ("{}",)))
    assert (recall.at_1, recall.chance_1, recall.chance_5) == (1.0, 0.25, 1.0)


def test_who_sees_nothing_finds_as_many_as_chance() -> None:
    n = 400
    cosines = compare_all(
        model_of(BlindReader()), [np.zeros((2, 2, 3), np.uint8)] * n, ["x"] * n, ("{}",)
    )
    recall = measure_recall(cosines)
    assert recall.at_1 < 0.02
    assert 0 < recall.at_5 < 0.04


def test_recall_by_hand() -> None:
    cosines = np.array([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1], [0.1, 0.2, 0.3]], np.float32)
    assert measure_recall(cosines).at_1 == pytest.approx(2 / 3)
    assert measure_recall(cosines.T).at_1 == 1.0


def test_pairs_need_as_many_of_both() -> None:
    with pytest.raises(ProbeError) as caught:
        measure_recall(np.zeros((2, 3), np.float32))
    assert (
        str(caught.value) == "2 cannot be paired with 3; give one text for each image, in order"
    )


def test_folders_are_listed_and_what_is_missing_is_said(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path)
    assert list_images([tmp_path]) == paths
    with pytest.raises(ProbeError, match=r"there is no file nowhere\.png; give images"):
        list_images([Path("nowhere.png")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProbeError, match="there are no images in"):
        list_images([tmp_path / "empty"])


def test_what_is_clear_shows_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((4, 4, 4), np.uint8))
    assert (read_image(path) == 255).all()


def test_a_picture_that_does_not_decode_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(ProbeError, match=r"a\.png is not a JPEG, PNG, WEBP"):
        read_image(tmp_path / "a.png")


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path)
    cv2.imwrite(str(paths[1]), np.random.default_rng(0).integers(0, 256, (99, 99)))
    paths[1].write_bytes(paths[1].read_bytes()[:-2000])
    readable, broken = keep_readable(paths)
    assert readable == [paths[0], *paths[2:]]
    (reason,) = broken
    assert reason.startswith(f"{paths[1]} cannot be decoded (")
    with pytest.raises(ProbeError) as caught:
        keep_readable([paths[1]])
    assert str(caught.value) == f"there is no image that can be read: {reason}"


def test_two_threads_decode_as_one_does(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path)
    paths[2].write_text("hello")
    assert list(find_broken(paths * 20)) == [paths[2]]


def test_a_pipe_that_is_named_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    os.mkfifo(path)
    with pytest.raises(ProbeError, match=r"a\.png is a pipe and not a regular file"):
        keep_readable(list_images([path]))


def test_texts_need_their_option_once() -> None:
    assert _repeat("--texts", ["match", "a", "--texts", "x", "y", "--out", "d", "z"]) == [
        "match", "a", "--texts", "x", "--texts", "y", "--out", "d", "z",
    ]  # fmt: skip
    assert _repeat("--texts", ["m", "--texts", "x", "--texts", "y"]) == [
        "m", "--texts", "x", "--texts", "y",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["match", "matrix"])
def test_the_commands_leave_a_picture_and_a_file(command: str, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path)
    done = run(
        command, *paths, "--texts", *TEXTS, "--model", "bundled", "--pretrained", "random",
        "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / f"{command}.json").read_text())
    assert cv2.imread(str(tmp_path / f"{command}.png")) is not None
    if command == "match":
        assert len(content) == 4
        assert sum(each["probability"] for each in content[0]["texts"]) == pytest.approx(1)
    else:
        assert np.array(content["cosines"]).shape == (4, 4)
        assert set(content["recall"]) == {"picture -> text", "text -> picture"}
        assert "R@1" in done.stdout


def test_no_text_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (path, *_) = write_pictures(tmp_path)
    done = run("match", path)
    assert done.returncode == 2
    assert done.stderr == "synthtext: no texts were given; add --texts or --texts-file\n"
