from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from probes.errors import ProbeError
from probes.training import loop as training
from probes.training.config import FinetuneConfig, Schedule
from probes.training.fit import train_model
from probes.training.loop import CHECKPOINT, rate_at
from tiny_training import set_up, write_data, write_model

HELPERS = Path(__file__).parents[2] / "helpers"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("d") / "d", 300)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("m") / "m")


def learn(config: FinetuneConfig, out: Path) -> dict[str, torch.Tensor]:
    """Return the final weights of a run."""
    return dict(train_model(config, out).parts.module.state_dict())


def is_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_rate_rises_and_falls() -> None:
    schedule = Schedule(n_steps=200, lr=2.0, warmup_frac=0.1)
    rates = [rate_at(step, schedule) for step in range(200)]
    assert np.argmax(rates) in (19, 20)
    assert max(rates) == 2.0
    assert all(np.diff(rates[20:]) < 0)
    assert rates[-1] < 0.001


@pytest.mark.parametrize(
    "options",
    [
        {"arm": "full", "schedule": {"letters": 1.0, "n_steps": 12}},
        {"arm": "vision", "batches": "image", "schedule": {"n_steps": 12}},
        {"arm": "lora", "schedule": {"n_steps": 12, "distill": 0.5, "n_accumulated": 2}},
        {"arm": "head", "batches": "both", "schedule": {"n_steps": 12}},
    ],
)
def test_a_broken_run_ends_as_an_unbroken_one(
    options: dict[str, object],
    data: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = set_up(model, data, **options)
    config = replace(config, schedule=replace(config.schedule, save_every=5))
    whole = learn(config, tmp_path / "whole")
    finite = training._check_finite

    def break_off(scalars, progress, folder) -> None:  # noqa: ANN001
        if progress.step == 8:
            raise KeyboardInterrupt
        finite(scalars, progress, folder)

    monkeypatch.setattr(training, "_check_finite", break_off)
    with pytest.raises(KeyboardInterrupt):
        learn(config, tmp_path / "broken")
    monkeypatch.setattr(training, "_check_finite", finite)
    assert torch.load(tmp_path / "broken" / CHECKPOINT, weights_only=True)["step"] == 5
    assert is_equal(learn(config, tmp_path / "broken"), whole)


KILLED = """
import sys
from pathlib import Path
from probes.training.fit import train_model
from tiny_training import set_up
model, data, out = map(Path, sys.argv[1:])
train_model(set_up(model, data, schedule={"n_steps": 30, "save_every": 4}), out)
"""


def test_a_killed_run_ends_as_an_unbroken_one(data: Path, model: Path, tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(HELPERS)])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, model, data, killed],
        env=os.environ | {"PYTHONPATH": path},
    )
    while not (killed / CHECKPOINT).exists():
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert torch.load(killed / CHECKPOINT, weights_only=True)["step"] < 30
    config = set_up(model, data, schedule={"n_steps": 30, "save_every": 4})
    assert is_equal(learn(config, killed), learn(config, whole))


def test_accumulated_batches_make_one_step(data: Path, model: Path, tmp_path: Path) -> None:
    # At a learning rate of almost 0, two batches in one step have the same losses as in two.
    losses = []
    for n_steps, n_accumulated in ((1, 2), (2, 1)):
        schedule = {"n_steps": n_steps, "n_accumulated": n_accumulated, "lr": 1e-12}
        config = set_up(model, data, schedule=schedule)
        history = train_model(config, tmp_path / str(n_steps)).history
        assert history[-1]["step"] == n_steps
        losses.append(history[-1]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_scalars_can_be_read_by_tensorboard(data: Path, model: Path, tmp_path: Path) -> None:
    learn(set_up(model, data, schedule={"n_steps": 3, "letters": 1.0}), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {
        "loss", "contrast", "letters", "lr", "gradient", "images_per_s", "val_accuracy",
    } <= set(events.Tags()["scalars"])  # fmt: skip
    assert [event.step for event in events.Scalars("loss")] == [3]


def test_a_loss_that_is_not_finite_stops_the_run(
    data: Path, model: Path, tmp_path: Path
) -> None:
    config = set_up(model, data, schedule={"n_steps": 20, "lr": 1e30, "save_every": 1})
    with pytest.raises(
        ProbeError, match=r"^the loss is \S+ and its gradient \S+ at step \d+"
    ) as caught:
        learn(config, tmp_path)
    assert str(caught.value).endswith("has the last checkpoint; lower --lr")
    kept = torch.load(tmp_path / CHECKPOINT, weights_only=True)["trained_clip"]
    assert all(bool(torch.isfinite(part).all()) for part in kept.values())


def test_a_full_disk_leaves_the_checkpoint_before(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = set_up(model, data, schedule={"n_steps": 4, "save_every": 2})
    save = torch.save

    def fill(content, file) -> None:  # noqa: ANN001
        if content["step"] > 2:
            file.write(b"half")
            raise OSError(28, "No space left on device")
        save(content, file)

    monkeypatch.setattr(torch, "save", fill)
    with pytest.raises(ProbeError) as caught:
        learn(config, tmp_path)
    path = tmp_path / CHECKPOINT
    assert str(caught.value) == (
        f"{path} cannot be written ([Errno 28] No space left on device); the previous one is"
        " complete, so free some space and run the same command again"
    )
    assert torch.load(path, weights_only=True)["step"] == 2
    assert not list(tmp_path.glob("*.part"))


def test_another_run_is_not_taken_up(data: Path, model: Path, tmp_path: Path) -> None:
    learn(set_up(model, data, schedule={"n_steps": 1}), tmp_path)
    with pytest.raises(ProbeError) as caught:
        learn(set_up(model, data, schedule={"n_steps": 1}, seed=1), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} contains another run, with other data, weights or options; give the same ones, a new --out, or --overwrite"
    )


def test_a_broken_checkpoint_is_named(data: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(ProbeError) as caught:
        learn(set_up(model, data), tmp_path)
    assert str(caught.value) == f"{tmp_path / CHECKPOINT} is broken; delete it to start again"


def test_a_finished_run_is_not_repeated(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = set_up(model, data, arm="scratch", schedule={"n_steps": 2})
    first = train_model(config, tmp_path)
    monkeypatch.setattr(training, "_learn", None)
    again = train_model(config, tmp_path)
    states = (dict(each.parts.module.state_dict()) for each in (first, again))
    assert is_equal(*states)
    assert again.history == first.history


def test_a_run_goes_on_wherever_its_data_and_weights_lie(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"schedule": {"n_steps": 2}, "mix": data / "train", "seed": 3}
    done = learn(set_up(model, data, **options), tmp_path / "out")
    shutil.copytree(data, tmp_path / "d")
    shutil.copytree(model, tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    # Nothing is left to train, so a resumed run reads no batch.
    monkeypatch.setattr(training, "_learn", None)
    moved = set_up(Path("m"), Path("d"), **options | {"mix": Path("d/train"), "device": "cpu"})
    assert is_equal(done, learn(moved, Path("out")))


def test_another_run_is_replaced_where_that_is_asked_for(
    data: Path, model: Path, tmp_path: Path
) -> None:
    learn(set_up(model, data, schedule={"n_steps": 1}), tmp_path)
    other = set_up(model, data, schedule={"n_steps": 1}, seed=1)
    replaced = learn(replace(other, overwrite=True), tmp_path)
    assert is_equal(replaced, learn(other, tmp_path))


TWO_PROCESSES = """
import sys
from pathlib import Path
import torch
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from probes.training import loop
from probes.training.fit import train_model
sys.path.insert(0, sys.argv[1])
from tiny_training import set_up

exchanged = []
distribute = loop._distribute

def watch(trained_clip, share, *, compiles):
    learner = distribute(trained_clip, share, compiles=compiles)
    def hook(state, bucket):
        exchanged.append(bucket.is_last())
        return allreduce_hook(None, bucket)
    learner.register_comm_hook(None, hook)
    return learner

loop._distribute = watch
schedule = {"n_steps": 2, "n_accumulated": 3}
config = set_up(Path(sys.argv[2]), Path(sys.argv[3]), schedule=schedule)
module = train_model(config, Path(sys.argv[4])).parts.module
# Each process keeps the running means of batch normalisation for itself.
state = {name: weight.detach() for name, weight in module.named_parameters()}
rank = __import__("os").environ["RANK"]
torch.save(state, f"{sys.argv[4]}/{rank}.pt")
print(sum(exchanged))
"""


def test_accumulated_gradients_are_exchanged_once_for_a_step(
    data: Path, model: Path, tmp_path: Path
) -> None:
    helpers = Path(__file__).parents[2] / "helpers"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, "-c", TWO_PROCESSES, helpers, model, data, tmp_path]
    processes = [
        subprocess.Popen(
            [*map(str, command)], stdout=subprocess.PIPE, text=True,
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert said == ["2", "2"]
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert is_equal(one, two)
