"""A dataset -> a dataset repository on the Hugging Face hub."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtext.dataset.codec import decode_fields
from synthtext.dataset.folders import list_damaged
from synthtext.dataset.manifest import read_manifest, to_json
from synthtext.dataset.sealing import seal
from synthtext.dataset.shards import read_samples
from synthtext.dataset.verify import REDO, check_shard
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import DamageError, DatasetError, quote, shorten
from synthtext.export.hub_card import format_hub_card
from synthtext.spec import FONT_SEPARATOR

REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,95}")

CARD = "README.md"
MANIFEST = "dataset.json"

N_PER_COMMIT = 50
"""Files per commit; files that a killed push had committed are not sent again."""

N_PER_QUESTION = 500
"""Files per request about what the hub already has."""

N_GIT_DIGITS = 40

CLOSED = "client has been closed"
"""What the client says of one upload while another has lost the connection of both."""

LOG_IN = "run `hf auth login`, or set HF_TOKEN"

OnProgress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Pushed:
    """The result of a push.

    Attributes:
        url: URL of the repository.
        n_sent: number of files that were sent.
        n_kept: number of files that the repository already had with the same content.
        strays: shards in the repository that are not part of the dataset.
    """

    url: str
    n_sent: int
    n_kept: int
    strays: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    """A file to send: its name in the repository, its content or path, and its checksum."""

    name: str
    content: bytes | Path
    sha256: str


def push_dataset(
    folder: Path,
    repo: str,
    *,
    fonts: Catalogue,
    private: bool = False,
    branch: str | None = None,
    on_progress: OnProgress = lambda *_: None,
) -> Pushed:
    """Send a finished dataset to the hub, and return what was done.

    The checksum of every file is checked first. The card gets the licences of the fonts, the
    recipe and the command. `dataset.json` in the repository has the checksum of that card and
    is sent last, with the card, so that an unfinished copy is not taken for a dataset. Files
    that the repository already has with the same content are not sent; its other files are
    left as they are.

    Args:
        folder: a dataset that `synthtext render` wrote.
        repo: "org/name"; created if it does not exist.
        fonts: the catalogue in which the licences are looked up.
        private: whether a new repository is private.
        branch: created if it does not exist; None is the main branch.
        on_progress: called after every shard that is checked and every batch that is sent.

    Raises:
        DatasetError: the dataset is unfinished, the name is not that of a repository, a package
            or the token is missing, or the hub cannot be reached or refuses.
        DamageError: a file is not the one that was written.
        ShardError: a shard is not the one that was written.
    """
    if not REPO.fullmatch(repo):
        raise DatasetError(f"{quote(repo)} is not the name of a repository; write ORG/NAME")
    if branch is not None and not BRANCH.fullmatch(branch):
        raise DatasetError(f"{quote(branch)} is not the name of a branch; write one like 'v2'")
    hub = _import_hub()
    token = hub.get_token()
    if not token:
        raise DatasetError(f"there is no token for the Hugging Face hub; {LOG_IN}")
    shards, beside = _collect(folder, fonts, on_progress)
    api = hub.HfApi(endpoint=hub.constants.ENDPOINT, token=token)
    hub.utils.disable_progress_bars()
    hub.utils.logging.set_verbosity_error()  # Its warnings state the signed address of a file.
    with _explain(repo):
        api.create_repo(repo, repo_type="dataset", private=private or None, exist_ok=True)
        if branch is not None:
            api.create_branch(repo, repo_type="dataset", branch=branch, exist_ok=True)
        sent, kept = _send(api, repo, branch, [shards, beside], on_progress)
        there = api.list_repo_files(repo, repo_type="dataset", revision=branch)
    known = {file.name for file in (*shards, *beside)}
    strays = [name for name in there if name.endswith(".tar") and name not in known]
    url = f"{hub.constants.ENDPOINT}/datasets/{repo}"
    return Pushed(url, sent, kept, tuple(sorted(strays)))


def _import_hub() -> Any:  # noqa: ANN401 - a module.
    try:
        import huggingface_hub
    except ImportError as error:
        raise DatasetError(
            "push needs huggingface_hub; run: pip install 'synthtext[export]'"
        ) from error
    return huggingface_hub


def _collect(
    folder: Path, fonts: Catalogue, on_progress: OnProgress
) -> tuple[list[_File], list[_File]]:
    """Return the shards and the files beside them, after checking the checksum of each."""
    manifest = read_manifest(folder)
    if not manifest.get("complete"):
        raise DatasetError(f"{folder} is not finished; run the same render command again")
    if damaged := list_damaged(folder, manifest):
        raise DamageError(f"{folder / damaged[0]} is not the file that was written; {REDO}")
    n_by_font: Counter[str] = Counter()
    shards = []
    for number, row in enumerate(manifest["shards"], 1):
        path = folder / row["file"]
        check_shard(folder, row)
        for sample in read_samples(path):
            fields = decode_fields(sample)
            fallback = str(fields.get("fallback_fonts", "")).split(FONT_SEPARATOR)
            n_by_font.update([str(fields.get("font")), *filter(None, fallback)])
        shards.append(_File(row["file"], path, row["sha256"]))
        on_progress("shards checked", number, len(manifest["shards"]))
    card = _hold(CARD, format_hub_card(manifest, n_by_font, fonts).encode())
    files = manifest["files"] | {CARD: card.sha256}
    described = _hold(MANIFEST, to_json(seal({**manifest, "files": files})))
    others = [_File(name, folder / name, said) for name, said in files.items() if name != CARD]
    return shards, [*others, card, described]


def _hold(name: str, content: bytes) -> _File:
    return _File(name, content, hashlib.sha256(content).hexdigest())


def _send(
    api: Any,  # noqa: ANN401 - the package may be missing.
    repo: str,
    branch: str | None,
    groups: Sequence[Sequence[_File]],
    on_progress: OnProgress,
) -> tuple[int, int]:
    """Send the files that a repository lacks; return their number and that of the others."""
    from huggingface_hub import CommitOperationAdd

    lacking = [_list_lacking(api, repo, branch, group) for group in groups]
    n_all, n_lacking = sum(map(len, groups)), sum(map(len, lacking))
    n_sent = 0
    for files in lacking:
        for some in _cut(files, N_PER_COMMIT):
            parts = [CommitOperationAdd(file.name, _open(file.content)) for file in some]
            api.create_commit(
                repo, parts,
                repo_type="dataset", revision=branch,
                commit_message=f"Add {some[0].name} and {len(some) - 1} more files",
            )  # fmt: skip
            n_sent += len(some)
            on_progress("files sent", n_sent, n_lacking)
    return n_sent, n_all - n_sent


def _open(content: bytes | Path) -> bytes | str:
    return content if isinstance(content, bytes) else str(content)


def _list_lacking(
    api: Any,  # noqa: ANN401 - as above.
    repo: str,
    branch: str | None,
    files: Sequence[_File],
) -> list[_File]:
    """Return the files that a repository does not have with the same content."""
    there: dict[str, str] = {}
    for some in _cut(files, N_PER_QUESTION):
        names = [file.name for file in some]
        for found in api.get_paths_info(repo, names, repo_type="dataset", revision=branch):
            large = getattr(found, "lfs", None)
            there[found.path] = large.sha256 if large else getattr(found, "blob_id", "")
    return [file for file in files if not _is_same(file, there.get(file.name))]


def _is_same(file: _File, stated: str | None) -> bool:
    """Return whether the hub's checksum, a SHA-256 or a git blob hash, is that of the file."""
    if stated is None or len(stated) != N_GIT_DIGITS:
        return stated == file.sha256
    raw = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
    return stated == hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest()


def _cut(files: Sequence[_File], n: int) -> list[Sequence[_File]]:
    return [files[k : k + n] for k in range(0, len(files), n)]


@contextmanager
def _explain(repo: str) -> Iterator[None]:
    """Turn an error of the hub's client into one sentence that does not contain the token."""
    try:
        yield
    except Exception as error:  # The classes of its network errors depend on its version.
        raise DatasetError(_say(repo, error)) from error


ANSWERS: Mapping[int, str] = {
    401: f"the hub does not accept the token; {LOG_IN}",
    403: "the token may not write to {repo}; make one that may write, or give another name",
    404: "the hub has no {repo}, and the token may not make it; check the name",
}
"""What the hub's refusals mean, by HTTP status."""


def _say(repo: str, error: BaseException) -> str:
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    for each in causes:
        status: int | None = getattr(getattr(each, "response", None), "status_code", None)
        if status is not None and status in ANSWERS:
            return ANSWERS[status].format(repo=repo)
        if status is not None:
            return (
                f"the hub answered with status {status}; run the same command again, which"
                " sends only what is missing"
            )
    reason = shorten(str(causes[-1]) or type(causes[-1]).__name__, 200)
    reason = "the connection was lost" if CLOSED in reason else reason
    return (
        f"the push to {repo} failed ({reason}); run the same command again when the hub can be"
        " reached, which sends only what is missing"
    )
