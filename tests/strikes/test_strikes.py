"""Nothing is lost and nothing stays locked, wherever in a public operation a signal handler raises or calls the pool.

`-m programs` strikes at a sample of the points, `-m soak` at all of them, and `--strikes=N` takes N rounds with an
alarm at a random moment. `explore.py` prints what fails, point by point.
"""

from __future__ import annotations

import signal

import pytest

from strikes.explore import ALARM_MODES, explore
from strikes.known import KEPT, KNOWN, POINT_MODES
from strikes.operations import OPERATIONS

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer here"),
]

EVERY = 29
HANG = 6.0


def pairs(modes, known=KNOWN):
    known = {
        **known,
        **{(name, mode): "what fails at a point fails at random" for name, _ in known for mode in ALARM_MODES},
    }
    return [
        pytest.param(
            name,
            mode,
            id=f"{name}-{mode}",
            marks=pytest.mark.xfail(reason=known[name, mode], strict=False) if (name, mode) in known else (),
        )
        for name in OPERATIONS
        for mode in modes
    ]


def selected(request, function):
    """Return the pairs of the parametrized tests that are to run."""
    items = [item for item in request.session.items if getattr(item, "function", None) is function]
    return [(item.callspec.params["name"], item.callspec.params["mode"]) for item in items]


@pytest.fixture(scope="module")
def sampled(request):
    return explore(selected(request, test_strikes_at_a_sample_of_points_lose_nothing), every=EVERY, most=1, hang=HANG)


@pytest.fixture(scope="module")
def alarmed(request):
    count = request.config.getoption("--strikes")
    return explore(
        selected(request, test_strikes_at_random_moments_lose_nothing), every=0, alarms=count, most=1, hang=HANG
    )


def describe(failures):
    return "\n".join(f"{point}: {'; '.join(bad)}" for point, bad in failures)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "mode"), pairs(POINT_MODES))
def test_strikes_at_a_sample_of_points_lose_nothing(sampled, name, mode):
    _, failures = sampled[name, mode]
    assert not failures, describe(failures)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "mode"), pairs(ALARM_MODES))
def test_strikes_at_random_moments_lose_nothing(alarmed, name, mode):
    _, failures = alarmed[name, mode]
    assert not failures, describe(failures)


@pytest.mark.stress
@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "mode"), pairs(POINT_MODES, KEPT))
def test_strikes_at_every_point_lose_nothing(name, mode):
    ((_, failures),) = explore([(name, mode)]).values()
    assert not failures, describe(failures)
