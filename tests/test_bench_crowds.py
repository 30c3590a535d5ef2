"""What the measures of crowds and mixes rest on: clocks of other processes, workers that meet. Nothing is timed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from interp_pool.bench.family import family, processor_time
from interp_pool.bench.gathering import gather
from interp_pool.bench.mixes import MIXES
from interp_pool.bench.peers import PEERS


class TestFamilyClock:
    @pytest.mark.skipif(sys.platform != "linux", reason="the clocks of other processes are read on Linux alone")
    @pytest.mark.programs
    def test_child_that_computes_counts(self) -> None:
        code = "print(flush=True)\nwhile True: pass"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            assert child.pid in family()
            before, own = processor_time([child.pid]), processor_time([os.getpid()])
            assert before is not None
            while (now := processor_time([child.pid])) is not None and now < before + 0.02:
                pass
            assert now is not None
            assert own is not None
            child.kill()
        assert processor_time([child.pid]) is None


class TestGathering:
    @pytest.mark.skipif(sys.platform == "win32", reason="no named pipes")
    def test_each_worker_has_one_task_and_a_time(self) -> None:
        adapter, times = gather(lambda: PEERS["threads"].load()(3), 3)
        adapter.close()
        assert len(times) == 3
        assert times == sorted(times)


class TestMixes:
    @pytest.mark.parametrize("name", MIXES)
    def test_mix_has_short_and_long_items(self, name: str) -> None:
        steps = MIXES[name](1_000_000)
        assert min(steps) * 10 < max(steps) <= 1_000_000
