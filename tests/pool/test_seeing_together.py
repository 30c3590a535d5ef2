"""All that there is to see of tasks, at the same time."""

from __future__ import annotations

import pstats

import pytest
import seen_tasks
from traced import Traced

import interp_pool
from interp_pool import InterpreterPoolExecutor


@pytest.mark.parametrize("fallback", [None, "process", "thread"])
def test_everything_at_once(tmp_path, caplog, fallback):
    caplog.set_level("INFO")
    trace, profile, lines, heard = tmp_path / "run.json", tmp_path / "out.prof", [], []
    routes = {} if fallback is None else {"fallback": fallback, "route": ["seen_tasks"]}
    token = seen_tasks.USER.set("anna")
    options = {"context": [seen_tasks.USER], "profile": profile, "name": "seen"}
    with InterpreterPoolExecutor(1, histograms=True, output=lines.append, **routes) as executor:
        with interp_pool.trace(trace):
            view = executor.options(**options)
            future = view.submit(seen_tasks.tell_everything, 1)
            assert future.result(60) == "anna"
            assert future.progress().done == 1
            assert [*view.map(seen_tasks.tell_everything, range(2, 40), on_progress=heard.append)] == ["anna"] * 38
        statistics = executor.statistics()
    seen_tasks.USER.reset(token)
    assert statistics.run_times.count == 39
    assert {each.done for each in heard} == {*range(2, 40)}
    records = [record for record in caplog.records if record.name == "seen_tasks"]
    assert sorted(record.args[0] for record in records) == [*range(1, 40)]
    assert {record.taskName for record in records} == ({"seen"} if fallback != "thread" else {None})
    assert Traced(trace).tasks("seen")
    if fallback == "thread":
        return  # its output is the program's, and a profiler there would measure all threads
    assert sorted(lines) == sorted(f"anna {number}" for number in range(1, 40))
    calls = pstats.Stats(str(profile)).stats
    assert sum(each[0] for place, each in calls.items() if place[2] == "tell_everything") == 39
