"""`python -m interp_pool.bench.cell PEER MEASURE WORKERS [--quick]`: one measurement, in a process of its own.

This file owns the child's side of `rounds`: it prints one line of JSON with `value`, for workloads also `check`, and
`details` where a measure has them; with `error` when something went wrong; or with `unmeasurable`. It imports next to
nothing, because processes that a peer spawns import it as their main module.
"""

import sys

__all__ = ["main"]


def main(argv: list[str]) -> None:
    """Measure and print the outcome, which may be that it failed."""
    import json

    from interp_pool.bench.measures import FLOORS, MEASURES, SCALING, scale
    from interp_pool.bench.measuring import Reading, Settings, Unmeasurable
    from interp_pool.bench.peers import PEERS, REFERENCES

    peer, measure, workers, *flags = argv
    settings = Settings(int(workers), is_quick="--quick" in flags)
    make = {**PEERS, **REFERENCES}[peer].load()
    outcome: dict[str, object] = {}
    try:
        if measure in SCALING:
            outcome["value"], outcome["check"] = scale(measure, make, settings)
        else:
            reading = {**MEASURES, **FLOORS}[measure].run(make, settings)
            if isinstance(reading, Reading):
                outcome["value"], outcome["details"] = reading.value, dict(reading.details)
            else:
                outcome["value"] = reading
    except Unmeasurable as exc:
        outcome["unmeasurable"] = str(exc)
    except Exception as exc:
        outcome["error"] = f"{type(exc).__name__}: {str(exc).partition('\n')[0]}"
    print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
