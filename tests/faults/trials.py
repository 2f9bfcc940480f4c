"""A command that is tried with a fault at one of its operations after another."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lent_hub import LAST, lend_hub
from operations import FAULTS, KILL, Outcome, run

BEGUN = ("dataset.json", "scenes.json")
"""Files that are written when a folder is begun, and again when it is complete."""

KEPT_FOR_THE_NEXT_RUN = ("/.records/", "/.vectors/", "checkpoint.pt")
"""What an unfinished run leaves so that the same command can continue from it."""

CACHE = "cache"
"""The user's cache, in the folder of a command that is tried there alone."""

WITHOUT_CACHE = "text embeddings cannot be cached"
"""How the warning begins, after which a command goes on."""

OF_ONE_MODEL = (" failed: ", " model is finished, and a comparison takes two")
"""Parts of the lines that a command about several models prints besides its last sentence."""

OTHER = ".other"
"""Ends the name of the file that takes the place of another."""

UNFINISHED = re.compile(r"-\d+-[0-9a-f]{8}\.part$")
"""Ends the name of a file that is being written: the process and a random number."""

Tree = dict[str, bytes]


@dataclass(frozen=True)
class Command:
    """A command to try, in a folder that `prepare` fills.

    Attributes:
        line: the command line.
        before: the command line that has written to the same place before, if any.
        sampled: the most operations that a small run tries.
        within: the folder whose operations alone are tried; with none, all are.
        replaced: a file in whose place another one lies when the command is run again; with
            that, it is refused or begins anew. Then the file is restored.
    """

    line: str
    before: str = ""
    sampled: int = 3
    within: str = ""
    replaced: str = ""


def read_tree(folder: Path) -> Tree:
    """Return the content of every file and folder by its name; that of a folder is empty."""
    tree = {}
    for path in sorted(folder.rglob("*")):
        name = f"/{path.relative_to(folder)}"
        if "/tensorboard/" not in name:
            tree[name] = b"" if path.is_dir() else path.read_bytes()
    return tree


def name_tree(tree: Tree) -> str:
    """Return a hash that folders share if they have the same files with the same content."""
    told = hashlib.sha256()
    for name, content in sorted((UNFINISHED.sub(".part", name), tree[name]) for name in tree):
        told.update(f"{name}\0{len(content)}\0".encode())
        told.update(content)
    return told.hexdigest()


class Trial:
    """A command that is tried with one fault after another.

    Where faults leave equal folders, the same command is run again only once.

    Attributes:
        operations: the disk operations of a run without a fault.
        numbers: those of them that are made to fail, counted from 1.
    """

    def __init__(self, command: Command, base: Path, room: Path) -> None:
        self._argv, self._work, self._log = command.line.split(), room / "work", room / "log"
        self._base = room / "base"
        self._replaced = self._work / command.replaced if command.replaced else None
        self._cache = self._work / CACHE if command.within == CACHE else None
        self._known: dict[str, list[str]] = {}
        shutil.copytree(base, self._base)
        if command.before:
            made = run(command.before.split(), self._base, log=self._log)
            if made.code:
                raise RuntimeError(made.printed)
        self._old = read_tree(self._base)
        first, self._new = self._run_anew()
        for name in first.modules:  # Imported here so that no fork has to do it again.
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        gc.freeze()  # Saves every fork from garbage collection of what exists already.
        _, again = self._run_anew()
        self._said = first.printed.splitlines()
        self.operations = first.operations
        self.numbers = [
            number for number, operation in enumerate(self.operations, 1)
            if operation.partition(" ")[2].startswith(command.within)
        ]  # fmt: skip
        if first.code:
            raise RuntimeError(first.printed)
        if self._replaced:
            shutil.rmtree(self._work)
            shutil.copytree(self._base, self._work)
            self._other = self._run_replaced(self._replaced)
        # Files with times and the like differ between runs, so only their existence is checked.
        self.volatile = {name for name in self._new if self._new[name] != again.get(name)}

    def _run_anew(self, number: int = 0, fault: int = KILL) -> tuple[Outcome, Tree]:
        shutil.rmtree(self._work, ignore_errors=True)
        shutil.copytree(self._base, self._work)
        return self._run(number, fault)

    def _run(self, number: int = 0, fault: int = KILL) -> tuple[Outcome, Tree]:
        is_sent = self._argv[0] == "push"
        with lend_hub(self._work / "hub") if is_sent else contextlib.nullcontext():
            done = run(
                self._argv, self._work, number=number, fault=fault, log=self._log,
                cache=self._cache,
            )  # fmt: skip
        return done, read_tree(self._work)

    def try_fault(self, number: int, fault: int) -> list[str]:
        """Return what is wrong after a fault, and after running the same command again."""
        done, left = self._run_anew(number, fault)
        faults = self._judge_end(done, fault, left) + self._judge_files(left)
        if self._replaced:
            faults += self._judge_replaced(self._replaced, left)
        if not self._judge_rest(left):  # Complete, and some commands run only once.
            return faults
        state = name_tree(left)
        if state not in self._known:
            self._known[state] = self._run_again()
        return faults + self._known[state]

    def _run_again(self) -> list[str]:
        """Return what is wrong after running the same command again."""
        again, tree = self._run()
        if again.code:
            return [f"the same command again ends with {again.code}: {again.printed[-300:]}"]
        return self._judge_rest(tree)

    def _run_replaced(self, path: Path) -> tuple[Outcome, Tree]:
        """Run the command with another file in place of one, and put back what was there."""
        kept = self._work.with_name("kept")
        shutil.copytree(self._work, kept)
        shutil.copy(f"{path}{OTHER}", path)
        done, tree = self._run()
        shutil.rmtree(self._work)
        kept.rename(self._work)
        return done, {name: tree[name] for name in tree if name != f"/{path.name}"}

    def _judge_replaced(self, path: Path, left: Tree) -> list[str]:
        """Return what is wrong if a file has been replaced before the command is run again."""
        done, tree = self._run_replaced(path)
        if done.code == 0:
            is_anew = self._other[0].code == 0 and tree == self._other[1]
            return [] if is_anew else [f"with another {path.name} it finished what was begun"]
        said = done.printed.splitlines()
        faults = [
            f"with another {path.name} it changed {name}" for name in left
            if name != f"/{path.name}" and tree.get(name) != left[name]
        ]  # fmt: skip
        if done.code != 2 or len(said) != 1 or path.name not in said[0]:
            faults.append(f"with another {path.name} it ended with {done.code}: {said[-3:]}")
        return faults

    def _judge_end(self, done: Outcome, fault: int, left: Tree) -> list[str]:
        if fault == KILL:
            return [] if done.code == -9 else [f"it ended with {done.code}, not killed"]
        if done.code == 0:  # The operation was not essential, such as a clean-up.
            return self._judge_rest(left, needs_cache=False)
        said = [
            line for line in done.printed.splitlines()
            if line not in self._said and not line.startswith(WITHOUT_CACHE)
            and (line.startswith("synthtext: ") or not any(part in line for part in OF_ONE_MODEL))
        ]  # fmt: skip
        is_plain = len(said) == 1 and said[0].startswith("synthtext: ")
        if done.code == 2 and is_plain:
            return []
        return [f"it ended with {done.code} and said {done.printed[-600:]!r}"]

    def _judge_files(self, left: Tree) -> list[str]:
        """Return the files that have neither their old nor their new content."""
        faults = [
            f"{name} is gone" for name in self._old if name in self._new and name not in left
        ]
        if LAST in left:
            faults += [f"{name} comes after it" for name in self._new if name not in left]
        for name, content in left.items():
            known = [tree[name] for tree in (self._old, self._new) if name in tree]
            is_begun = name.endswith(BEGUN) and b'"complete": false' in content
            is_kept = any(part in name for part in KEPT_FOR_THE_NEXT_RUN)
            if (
                known
                and content not in known
                and name not in self.volatile
                and not is_begun
                and not is_kept
            ):
                faults.append(f"{name} is neither old nor new ({len(content)} bytes)")
        return faults

    def _judge_rest(self, tree: Tree, *, needs_cache: bool = True) -> list[str]:
        faults = [f"{name} is left behind" for name in tree.keys() - self._new.keys()]
        faults += [
            f"{name} is missing" for name in self._new.keys() - tree.keys()
            if needs_cache or not name.startswith(f"/{CACHE}")
        ]  # fmt: skip
        for name in tree.keys() & self._new.keys() - self.volatile:
            if tree[name] != self._new[name]:
                faults.append(f"{name} differs")
        return faults


def choose(numbers: Sequence[int], n_faults: int) -> list[tuple[int, str]]:
    """Return the operations to fail at and the faults: all, or a few that are spread evenly."""
    if not n_faults:
        return [(k, name) for k in numbers for name in FAULTS]
    kinds = list(FAULTS)
    return [
        (numbers[(2 * i + 1) * len(numbers) // (2 * n_faults)], kinds[i % len(kinds)])
        for i in range(n_faults)
    ]
