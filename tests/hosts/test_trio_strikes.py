"""Nothing is lost wherever a signal handler raises or calls the pool in what Trio runs; see `tests/strikes`."""

from __future__ import annotations

import signal

import pytest
from strikes.explore import explore
from strikes.known import KNOWN, POINT_MODES

pytest.importorskip("trio")

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer here"),
]


@pytest.mark.timeout(600)
def test_strikes_at_a_sample_of_points_lose_nothing(subtests):
    pairs = [(name, mode) for name in ("run_under_trio", "amap_under_trio") for mode in POINT_MODES]
    todo = [pair for pair in pairs if pair not in KNOWN]
    for (name, mode), (count, failures) in explore(todo, every=29, most=1, hang=20.0).items():
        with subtests.test(name=name, mode=mode):
            assert not failures
            assert count
