from __future__ import annotations

import subprocess
import sys

import pytest

import probes


def test_every_name_that_is_offered_is_there() -> None:
    for name in probes.__all__:
        assert getattr(probes, name).__doc__
    assert dir(probes) == probes.__all__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        probes.nothing  # noqa: B018


def test_the_import_alone_loads_nothing_heavy() -> None:
    script = "import sys, probes; print({'numpy', 'pandas', 'torch'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
