"""The benchmark command: what it makes of numbers, which budgets they meet, and how it tells that."""

from __future__ import annotations

import pytest

from interp_pool.bench import report
from interp_pool.bench.budgets import BUDGETS, Budget, judge, misses
from interp_pool.bench.measures import MEASURES
from interp_pool.bench.peers import FLOOR, OURS, PEERS, SERIAL, STDLIB
from interp_pool.bench.results import Results, ratio
from interp_pool.bench.rounds import Cell, Outcome


def found(numbers: dict[tuple[str, str], float], missing: dict[str, str] | None = None) -> Results:
    outcomes = [Outcome(Cell(peer, measure, 2), 1, value) for (peer, measure), value in numbers.items()]
    return Results(outcomes, missing or {}, 2)


class TestResults:
    def test_median_is_over_the_rounds_that_have_a_number(self) -> None:
        cell = Cell(OURS, "burst", 2)
        outcomes = [Outcome(cell, 1, 3.0), Outcome(cell, 2, error="lost"), Outcome(cell, 3, 5.0), Outcome(cell, 4, 4.0)]
        results = Results(outcomes, {}, 2)
        assert results.value(OURS, "burst") == 4.0
        assert results.failures() == [(cell, 1, "lost")]
        assert not results.is_failed(OURS, "burst")

    def test_reason_is_the_peers_the_failures_or_that_it_was_not_measured(self) -> None:
        results = Results([Outcome(Cell("fork", "burst", 2), 1, error="lost")], {STDLIB: "too old"}, 2)
        assert results.reason(STDLIB, "burst") == "too old"
        assert results.reason("fork", "burst") == "lost"
        assert results.reason(OURS, "burst") == "not measured in this run"

    @pytest.mark.parametrize(
        ("ours", "theirs", "noise", "expected"),
        [(1, 2, 0, 0.5), (1, 0, 0, None), (-3, 0.5, 1, 1), (4, -2, 1, 4), (0.5, 4, 1, 0.25)],
    )
    def test_ratio_takes_what_is_below_the_noise_for_the_noise(
        self, ours: float, theirs: float, noise: float, expected: float | None
    ) -> None:
        assert ratio(ours, theirs, noise) == expected


class TestBudgets:
    def test_ratio_to_the_best_peer_decides(self) -> None:
        results = found({(OURS, "map_tiny"): 2.0, ("fork", "map_chunked"): 8.0, ("spawn", "map_chunked"): 4.0})
        (verdict,) = judge(results, [Budget("map_tiny", 0.5, ("fork", "forkserver", "spawn"), "map_chunked")])
        assert (verdict.measured, verdict.is_met) == (0.5, True)
        (verdict,) = judge(results, [Budget("map_tiny", 0.4, ("fork", "forkserver", "spawn"), "map_chunked")])
        assert verdict.is_met is False

    def test_missing_peer_is_not_measurable_with_its_reason(self) -> None:
        (verdict,) = judge(found({(OURS, "burst"): 1.0}, {STDLIB: "too old"}), [Budget("burst", 0.2)])
        assert (verdict.measured, verdict.is_met, verdict.reason) == (None, None, "stdlib burst: too old")

    def test_budget_without_peers_is_absolute(self) -> None:
        budget = Budget("memory_growth", 1.0, ())
        assert judge(found({(OURS, "memory_growth"): -3.0}), [budget])[0].is_met
        assert not judge(found({(OURS, "memory_growth"): 1.5}), [budget])[0].is_met

    def test_only_budgets_of_what_was_measured_are_judged(self) -> None:
        verdicts = judge(found({(OURS, "burst"): 1.0, (STDLIB, "burst"): 10.0, ("threads", "burst"): 0.5}))
        assert [(verdict.measured, verdict.is_met) for verdict in verdicts] == [(0.1, True), (2.0, False)]

    def test_budget_of_a_detail_is_judged_by_its_median(self) -> None:
        cell = Cell(OURS, "workers_64", 2)
        outcomes = [Outcome(cell, n, 9.0, details={"burst_cpu_ratio_64": n / 2}) for n in (1, 2, 9)]
        budgets = [Budget("workers_64", 1.8, (), detail=name) for name in ("burst_cpu_ratio_64", "burst_cpu_ratio_8")]
        known, unknown = judge(Results(outcomes, {}, 2), budgets)
        assert (known.measured, known.is_met) == (1.0, True)
        assert (unknown.measured, unknown.is_met, unknown.reason) == (None, None, "this run did not take it")

    def test_misses_are_told_with_their_number_and_aims_are_none(self) -> None:
        results = found({(OURS, "burst"): 3.0, ("threads", "burst"): 2.0})
        budgets = [Budget("burst", 1.2, ("threads",)), Budget("burst", 1.0, ("threads",), is_aim=True)]
        assert misses(judge(results, budgets)) == ["burst <= 1.2 x threads: 1.5"]

    def test_every_budget_names_what_there_is(self) -> None:
        for budget in BUDGETS:
            assert {budget.measure, budget.against or budget.measure} <= set(MEASURES)
            assert set(budget.peers) <= set(PEERS)


class TestReport:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [(0.01234, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346"), (-0.5, "-0.500")],
    )
    def test_numbers_have_three_digits(self, value: float, expected: str) -> None:
        assert report.number(value) == expected

    def test_losses_failures_and_missing_peers_are_all_told(self) -> None:
        outcomes = [
            Outcome(Cell(OURS, "roundtrip", 2), 1, 80.0),
            Outcome(Cell("threads", "roundtrip", 2), 1, 40.0),
            Outcome(Cell("fork", "roundtrip", 2), 1, error="OSError: no semaphores"),
            Outcome(Cell(SERIAL, "ast", 1), 1, 2.0),
            Outcome(Cell(OURS, "ast", 1), 1, 2.5),
            Outcome(Cell(OURS, "ast", 2), 1, 1.0),
            Outcome(Cell("threads", "ast", 1), 1, 2.0),
            Outcome(Cell("threads", "ast", 2), 1, 2.0),
        ]
        results = Results(outcomes, {STDLIB: "too old", FLOOR: "no eventfd"}, 2)
        found = {section.title: section for section in report.sections(results, judge(results), 1)}
        assert found["What was measured"].rows == [("roundtrip", "us", "80.0", "40.0", "failed")]
        assert "stdlib is not here: too old" in found["What was measured"].notes
        assert found["interp_pool over the others"].rows == [("roundtrip", "2.00", "-")]
        assert found["The floor: two interpreters with no executor around them"].notes == ["not measured: no eventfd"]
        assert found["Scaling"].rows == [
            ("ast", "2.00", "1", "0.80x", "1.00x"),
            ("ast", "2.00", "2", "2.00x", "1.00x"),
        ]
        assert found["Where interp_pool loses"].rows == [
            ("roundtrip", "threads", "80.0 us", "40.0 us", "2.00 times"),
            ("ast with 1 worker", "threads", "2.50 s", "2.00 s", "1.25 times"),
        ]
        assert found["What failed"].rows == [("roundtrip", "fork", "2", "1 of 1", "OSError: no semaphores")]
        assert [row[-1] for row in found["Budgets"].rows] == ["not measurable: stdlib roundtrip: too old", "NOT MET"]

    def test_details_have_a_table_with_the_spread_of_ours(self) -> None:
        outcomes = [
            Outcome(Cell(peer, "starting", 2), n, 9.0, details={"first_ms": n * times})
            for peer, times in ((OURS, 1.0), ("threads", 10.0))
            for n in (1, 2, 4)
        ]
        sections = report.sections(Results(outcomes, {}, 2), [], 3)
        (details,) = [section for section in sections if section.title.startswith("starting: ")]
        assert details.headers == ("", OURS, "threads", "spread of interp_pool")
        assert details.rows == [("first_ms", "2.00", "20.0", "1.00 to 4.00")]

    def test_no_loss_is_said_too(self) -> None:
        results = found({(OURS, "burst"): 1.0, ("threads", "burst"): 2.0})
        (losses,) = [section for section in report.sections(results, [], 1) if "loses" in section.title]
        assert losses.notes == ["nowhere in this run"]

    def test_section_is_text_and_markdown(self) -> None:
        section = report.Section("Title", ["a note"], ("name", "n"), [("a|b", "1"), ("c", "-")])
        assert report.text(section) == "Title\n  a note\n  name  n\n  ----  -\n  a|b   1\n  c     -"
        assert report.markdown(section) == (
            "## Title\n\n- a note\n\n| name | n |\n| --- | ---: |\n| a\\|b | 1 |\n| c | - |"
        )
