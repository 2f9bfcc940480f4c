"""Texts that match a pattern, with equal probability: plates, dates, prices, ids.

A pattern is a regular expression that matches a finite number of texts. It is turned into a
deterministic automaton, in which every text has one path; the paths are counted, so that the
k-th text can be computed without the others.

Source: Hopcroft, Motwani and Ullman, "Introduction to Automata Theory, Languages, and
Computation", 2006, sections 2.3.5 and 3.2.3.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# The parser of Python's own `re`; what it returns has been the same since Python 3.7.
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import numpy as np

from synthtext.errors import WordsError, shorten
from synthtext.rng import draw_bits

PATTERNS = {
    "dates": r"((0[1-9]|1\d|2[0-8])\.(0[1-9]|1[0-2])|(29|30)\.(0[13-9]|1[0-2])"
    r"|31\.(0[13578]|1[02]))\.(19|20)\d\d",
    "iso-dates": r"(19|20)\d\d-((0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(29|30)"
    r"|(0[13578]|1[02])-31)",
    "times": r"([01]\d|2[0-3]):[0-5]\d",
    "prices": r"[$€£]([1-9]\d{0,2}|[1-9]\d?,\d{3})\.\d\d|([1-9]\d{0,2}|[1-9]\d?\.\d{3}),\d\d €",
    "phones": r"\+[1-9]\d? [1-9]\d{2} \d{3} \d{4}",
    "plates": r"[A-Z]{1,3}-[A-Z]{1,2} [1-9]\d{0,3}",
    "ids": r"[A-Z]{2}\d{6}|[0-9a-f]{8}|\d{4}-\d{4}-\d{4}",
    "pseudowords": r"([bdfghklmnprstvw]|[bcfgp][lr]|[dt]r|s[kmnpt])[aeiou]"
    r"(([bdfgklmnprstvz]|[lmnr][dt]|ck|st)[aeiou]){0,2}([dklmnprstx]|n[dt]|st)?",
}
"""Named patterns."""

MAX_PATTERN_CHARS = 500

MAX_CHARS = 200
"""Maximum length of a text that a pattern matches."""

MAX_STEPS = 20_000
"""Maximum number of parts of a pattern, with its repeats expanded."""

MAX_STATES = 20_000

MAX_EDGES = 2_000_000
"""Maximum number of transitions, one for each character."""

MAX_TEXTS = 2**192
"""Maximum number of texts of a pattern, so that a 256-bit number samples them uniformly."""

MAX_CLASS = 30_000
"""Maximum size of a character class; one Chinese block has 20,992 characters."""

PRINTABLE = frozenset(map(chr, range(0x20, 0x7F)))
"""The characters of `.` and of negated classes."""

CATEGORIES = {
    ops.CATEGORY_DIGIT: frozenset(string.digits),
    ops.CATEGORY_NOT_DIGIT: PRINTABLE - set(string.digits),
    ops.CATEGORY_WORD: frozenset(string.ascii_letters + string.digits + "_"),
    ops.CATEGORY_NOT_WORD: PRINTABLE - set(string.ascii_letters + string.digits + "_"),
    ops.CATEGORY_SPACE: frozenset(" "),
    ops.CATEGORY_NOT_SPACE: PRINTABLE - {" "},
}

Chars = frozenset[str]


@dataclass
class Automaton:
    """The automaton of a pattern, whose states are numbered from 0, where every text begins.

    Attributes:
        ways: for each state, the characters that lead on, in order, and the next states.
        counts: number of texts from each state on.
        ends: whether a text may end there.
    """

    ways: list[list[tuple[str, int]]]
    counts: list[int]
    ends: list[bool]


@dataclass
class _Sketch:
    """The nondeterministic automaton of a pattern.

    Attributes:
        pattern: where it comes from, for messages.
        steps: for each state, character classes and the states that they lead to.
        jumps: for each state, the states reached without a character.
        n_parts: parts of the pattern so far, with its repeats expanded.
    """

    pattern: str
    steps: list[list[tuple[Chars, int]]] = field(default_factory=list)
    jumps: list[list[int]] = field(default_factory=list)
    n_parts: int = 0

    def add_state(self) -> int:
        self.steps.append([])
        self.jumps.append([])
        return len(self.steps) - 1

    def add_all(self, parts: Iterable[Any], state: int) -> int:
        """Add parts in sequence; return the state that they lead to."""
        for op, value in parts:
            state = self.add(op, value, state)
        return state

    def add(self, op: object, value: Any, state: int) -> int:  # noqa: ANN401 - `re`'s own.
        """Add a part; return the state that it leads to."""
        self.n_parts += 1
        if self.n_parts > MAX_STEPS:
            raise _refuse(self.pattern, f"has more than {MAX_STEPS:,} parts")
        if op is ops.SUBPATTERN:
            _, on, off, parts = value
            if on or off:
                raise _refuse(self.pattern, "sets a flag")
            return self.add_all(parts, state)
        if op is ops.BRANCH:
            end = self.add_state()
            for parts in value[1]:
                self.jumps[self.add_all(parts, self._fork(state))].append(end)
            return end
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            least, most, parts = value
            return self._repeat(least, most, parts, state)
        chars = _read_class(self.pattern, op, value)
        end = self.add_state()
        self.steps[state].append((chars, end))
        return end

    def _fork(self, state: int) -> int:
        begin = self.add_state()
        self.jumps[state].append(begin)
        return begin

    def _repeat(self, least: int, most: int, parts: Iterable[Any], state: int) -> int:
        if most is ops.MAXREPEAT:
            raise _refuse(
                self.pattern, "matches texts of unlimited length", "write {0,8} for * or +"
            )
        ends = [state]
        for _ in range(most):
            self.n_parts += 1
            ends.append(self.add_all(parts, ends[-1]))
            if self.n_parts > MAX_STEPS:
                raise _refuse(self.pattern, f"has more than {MAX_STEPS:,} parts")
        last = self.add_state()
        for end in ends[least:]:
            self.jumps[end].append(last)
        return last


def read_pattern(pattern: str) -> Automaton:
    """Return the automaton of a pattern, given as such or by its name.

    >>> read_pattern("[ab]c?").counts[0]
    4

    Raises:
        WordsError: it is not a regular expression, matches too long or too many texts, or uses
            more than characters, classes, groups, `|` and repeats.
    """
    pattern = PATTERNS.get(pattern, pattern)
    if len(pattern) > MAX_PATTERN_CHARS:
        raise _refuse(pattern, f"is {len(pattern):,} characters long")
    try:
        parsed = _parser.parse(pattern)
        longest = parsed.getwidth()[1]
    except (re.error, OverflowError, RecursionError) as error:
        raise _refuse(pattern, f"cannot be read ({error})", "see Python's `re`") from error
    if parsed.state.flags & ~re.UNICODE:
        raise _refuse(pattern, "sets a flag")
    sketch = _Sketch(pattern)
    end = sketch.add_all(parsed, sketch.add_state())
    if longest > MAX_CHARS:
        raise _refuse(pattern, f"matches texts of {longest:,} characters")
    automaton = _determine(sketch, end)
    if not 0 < automaton.counts[0] <= MAX_TEXTS:
        number = "no text" if not automaton.counts[0] else "more than 10^57 texts"
        raise _refuse(pattern, f"matches {number}")
    return automaton


def draw_matches(pattern: str, n: int, seed: int) -> list[str]:
    """Return different texts that match a pattern; all of them, if there are at most n.

    >>> draw_matches("[ab]{2}", 9, 0)
    ['aa', 'ab', 'ba', 'bb']

    Args:
        pattern: a regular expression, or the name of one of `PATTERNS`.
        n: number of texts, 1 or more.
        seed: for the choice; 0 or more.

    Raises:
        WordsError: the pattern cannot be used.
    """
    automaton = read_pattern(pattern)
    total = automaton.counts[0]
    if total <= n:
        return [_spell(automaton, rank) for rank in range(total)]
    name = f"pattern {pattern}"
    if total <= 4 * n:
        order = np.argsort(draw_bits(seed, name, 0, total)[:, 0], kind="stable")
        return [_spell(automaton, rank) for rank in order[:n].tolist()]
    ranks: dict[int, None] = {}
    start = 0
    while len(ranks) < n:
        for row in draw_bits(seed, name, start, start + n).tolist():
            number = sum(lane << (64 * place) for place, lane in enumerate(row))
            ranks[number * total >> 256] = None
        start += n
    return [_spell(automaton, rank) for rank in list(ranks)[:n]]


def _spell(automaton: Automaton, rank: int) -> str:
    """Return a text by its index among all that match."""
    state = 0
    chars: list[str] = []
    while True:
        if automaton.ends[state]:
            if not rank:
                return "".join(chars)
            rank -= 1
        for options, following in automaton.ways[state]:
            n_each = automaton.counts[following]
            if rank < n_each * len(options):
                place, rank = divmod(rank, n_each)
                chars.append(options[place])
                state = following
                break
            rank -= n_each * len(options)


def _read_class(pattern: str, op: object, value: Any) -> Chars:  # noqa: ANN401 - `re`'s own.
    """Return the characters that a part of a pattern matches."""
    if op is ops.LITERAL:
        return frozenset({chr(value)})
    if op is ops.NOT_LITERAL:
        return PRINTABLE - {chr(value)}
    if op is ops.ANY:
        return PRINTABLE
    if op is not ops.IN:
        raise _refuse(pattern, f"asks for {str(op).lower()}", "leave it out")
    is_negated = value[0][0] is ops.NEGATE
    chars: set[str] = set()
    for kind, item in value[is_negated:]:
        if kind is ops.RANGE:
            if item[1] - item[0] > MAX_CLASS:
                raise _refuse(pattern, f"has a class of more than {MAX_CLASS:,} characters")
            chars |= set(map(chr, range(item[0], item[1] + 1)))
        else:
            chars |= CATEGORIES[item] if kind is ops.CATEGORY else {chr(item)}
    return PRINTABLE - chars if is_negated else frozenset(chars)


def _determine(sketch: _Sketch, end: int) -> Automaton:
    """Return the deterministic automaton, with its texts counted."""
    numbers = {_reach(sketch, [0]): 0}
    ways: list[list[tuple[str, int]]] = []
    n_edges = 0
    for number, states in enumerate(queue := list(numbers)):
        steps = [step for state in states for step in sketch.steps[state]]
        n_edges += sum(len(chars) for chars, _ in steps)
        if n_edges > MAX_EDGES or number > MAX_STATES:
            raise _refuse(sketch.pattern, "can continue in too many ways")
        row = []
        for followers, options in _group(steps).items():
            reached = _reach(sketch, followers)
            if reached not in numbers:
                numbers[reached] = len(queue)
                queue.append(reached)
            row.append(("".join(options), numbers[reached]))
        ways.append(row)
    ends = [end in states for states in numbers]
    return Automaton(ways, _count(ways, ends), ends)


def _group(steps: Iterable[tuple[Chars, int]]) -> dict[frozenset[int], list[str]]:
    """Return the characters in order, grouped by the states that they lead to."""
    targets: dict[str, set[int]] = {}
    for chars, following in steps:
        for char in chars:
            targets.setdefault(char, set()).add(following)
    grouped: dict[frozenset[int], list[str]] = {}
    for char in sorted(targets):
        grouped.setdefault(frozenset(targets[char]), []).append(char)
    return grouped


def _reach(sketch: _Sketch, states: Iterable[int]) -> frozenset[int]:
    """Return the states reached from the given states without a character."""
    reached, waiting = set(states), list(states)
    while waiting:
        for state in sketch.jumps[waiting.pop()]:
            if state not in reached:
                reached.add(state)
                waiting.append(state)
    return frozenset(reached)


def _count(ways: Sequence[Sequence[tuple[str, int]]], ends: Sequence[bool]) -> list[int]:
    """Return the number of texts from each state on; there are no cycles."""
    counts = [-1] * len(ways)
    waiting = [0]
    while waiting:
        state = waiting[-1]
        missing = [following for _, following in ways[state] if counts[following] < 0]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        counts[state] = ends[state] + sum(
            len(options) * counts[following] for options, following in ways[state]
        )
    return counts


def _refuse(pattern: str, reason: str, remedy: str = "give a simpler one") -> WordsError:
    return WordsError(f"the pattern {shorten(pattern)!r} {reason}; {remedy}")
