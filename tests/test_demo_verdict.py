"""The demo: which executor was the fastest, and whether that can be told. No threads, interpreters or clocks."""

import random

import pytest

from interp_pool.demo.verdict import CLOSEST, FEWEST_SLICES, SHORTEST, Obstacle, Speed, Verdict, decide, speed


def made(name: str, low: float, median: float, high: float, slices: int = 12) -> Speed:
    return Speed(name, median, low, high, slices)


SERIAL = made("serial", 1, 1, 1)
ENOUGH = 10.0


class TestSpeed:
    def test_speed_is_the_median_of_the_ratios_in_the_same_slice(self) -> None:
        serial = [1.0, 2.0, 3.0, 4.0, 50.0]
        assert speed("a", serial, [1.0, 1.0, 1.0, 1.0, 10.0]) == Speed("a", 3.0, 2.0, 4.0, 5)

    def test_spread_is_the_middle_half_of_the_slices(self) -> None:
        ratios = [float(value) for value in range(1, 10)]
        random.Random(1).shuffle(ratios)
        assert speed("a", ratios, [1.0] * 9) == Speed("a", 5.0, 3.0, 7.0, 9)

    def test_quantiles_between_two_slices_are_interpolated(self) -> None:
        assert speed("a", [1.0, 2.0], [1.0, 1.0]) == Speed("a", 1.5, 1.25, 1.75, 2)

    def test_one_slice_has_no_spread(self) -> None:
        assert speed("a", [3.0], [2.0]) == Speed("a", 1.5, 1.5, 1.5, 1)

    def test_serial_against_itself_is_one(self) -> None:
        assert speed("serial", [0.3, 0.1, 0.2], [0.3, 0.1, 0.2]) == Speed("serial", 1.0, 1.0, 1.0, 3)

    def test_two_disturbed_slices_of_twelve_change_neither_median_nor_spread(self) -> None:
        steady = speed("a", [2.0] * 12, [1.0] * 12)
        assert speed("a", [2.0] * 12, [1.0] * 10 + [9.0, 9.0]) == steady

    def test_machine_that_slows_down_for_some_slices_does_not_change_the_speed(self) -> None:
        pace = [1.0, 1.0, 3.0, 3.0, 3.0, 1.0]
        assert speed("a", [2 * each for each in pace], pace) == Speed("a", 2.0, 2.0, 2.0, 6)

    @pytest.mark.parametrize(("serial", "seconds"), [([], []), ([1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0])])
    def test_slices_that_do_not_match_are_refused(self, serial: list[float], seconds: list[float]) -> None:
        with pytest.raises(ValueError, match=r"^a was measured with . slices, the serial run with .$"):
            speed("a", serial, seconds)


class TestDecide:
    def test_spread_above_all_others_wins(self) -> None:
        a, b = made("a", 1.9, 2.0, 2.1), made("b", 1.5, 1.6, 1.8)
        assert decide([SERIAL, b, a], ENOUGH) == Verdict(a, next=b)

    def test_overlapping_spreads_are_too_close_to_call(self) -> None:
        a, b = made("a", 1.7, 2.0, 2.1), made("b", 1.5, 1.6, 1.8)
        assert decide([SERIAL, b, a], ENOUGH) == Verdict(a, rivals=(b,), next=SERIAL)

    def test_touching_spreads_are_too_close_to_call(self) -> None:
        a, b = made("a", 1.8, 2.0, 2.1), made("b", 1.5, 1.6, 1.8)
        assert decide([SERIAL, a, b], ENOUGH).rivals == (b,)

    def test_small_lead_is_too_close_to_call_however_small_the_spreads(self) -> None:
        a, b = made("a", 2.0, 2.0, 2.0), made("b", 1.95, 1.95, 1.95)
        assert decide([SERIAL, a, b], ENOUGH).rivals == (b,)
        assert decide([SERIAL, a, made("c", 1.9, 2.0 / CLOSEST - 0.01, 1.91)], ENOUGH).rivals == ()

    def test_rival_behind_a_slower_one_is_still_a_rival(self) -> None:
        """What is too uncertain to be called slower need not be the second."""
        a, b, c = made("a", 1.9, 2.0, 2.1), made("b", 1.6, 1.7, 1.8), made("c", 1.0, 1.6, 2.2)
        assert decide([SERIAL, a, b, c], ENOUGH) == Verdict(a, rivals=(c,), next=b)

    def test_serial_run_wins_over_executors_that_are_slower(self) -> None:
        a = made("a", 0.7, 0.8, 0.9)
        assert decide([SERIAL, a], ENOUGH) == Verdict(SERIAL, next=a)

    def test_everyone_can_be_too_close(self) -> None:
        a, b = made("a", 0.5, 1.1, 2.4), made("b", 0.6, 0.9, 1.3)
        assert decide([SERIAL, a, b], ENOUGH) == Verdict(a, rivals=(SERIAL, b))

    @pytest.mark.parametrize(
        ("speeds", "seconds", "obstacle"),
        [
            ([SERIAL], ENOUGH, Obstacle.NOBODY_ELSE),
            ([SERIAL, made("a", 2, 2, 2)], SHORTEST - 0.1, Obstacle.TOO_LITTLE_WORK),
            ([SERIAL, made("a", 2, 2, 2, FEWEST_SLICES - 1)], ENOUGH, Obstacle.TOO_FEW_SLICES),
        ],
    )
    def test_nothing_is_decided_where_nothing_can_be(
        self, speeds: list[Speed], seconds: float, obstacle: Obstacle
    ) -> None:
        verdict = decide(speeds, seconds)
        assert (verdict.obstacle, verdict.rivals, verdict.next) == (obstacle, (), None)
        assert verdict.best == speeds[-1]

    @pytest.mark.parametrize(("slices", "most"), [(FEWEST_SLICES, 0.08), (12, 0.03)])
    def test_two_executors_of_the_same_speed_are_rarely_told_apart(self, slices: int, most: float) -> None:
        """As often as the documentation says, whatever the noise."""
        noise = random.Random(1)
        wrong = 0
        for _ in range(2000):
            speeds = [
                speed(name, [1.0] * slices, [noise.lognormvariate(0, 0.5) for _ in range(slices)]) for name in "ab"
            ]
            wrong += not decide(speeds, ENOUGH).rivals
        assert wrong < most * 2000
