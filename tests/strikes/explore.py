"""Strikes operations in processes of their own and tells, for each way of striking, the points that failed.

usage: python -P tests/strikes/explore.py [--every N] [--alarms N] [--most N] [--mode WAY]... [OPERATION]...

Without names: all operations, at every point, each once, twice, and with a handler that calls the pool.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from pathlib import Path

TESTS = Path(__file__).parents[1]
ALARM_MODES = ("alarms", "alarms that call")


def explore(todo, *, every=1, alarms=20, most=1000, hang=12.0, seed=1, tell=lambda *failure: None):
    """Strike; return {(operation, mode): (points, [(point, what was wrong)])}.

    Args:
        todo: pairs of an operation and a mode.
        every: strike at every so manieth point.
        alarms: rounds with a random alarm.
        most: failures of a pair, after which no more are looked for.
        hang: seconds that no round takes.
        seed: of the random moments.
        tell: called with each failure at once.
    """
    results = {pair: (0, []) for pair in todo}
    done = {pair: [] for pair in todo}
    left = [*todo]
    while left:
        plan = {
            "every": every,
            "alarms": alarms,
            "hang": hang,
            "seed": seed,
            "todo": [(*pair, done[pair]) for pair in left],
        }
        seed += 1
        pair, point, is_told = left[0], "(before the first point)", True
        with subprocess.Popen(
            [sys.executable, "-P", TESTS / "strikes" / "rounds.py"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            errors = []
            reader = threading.Thread(target=lambda e=errors, p=process: e.append(p.stderr.read()))
            reader.start()
            process.stdin.write(json.dumps(plan))
            process.stdin.close()
            is_told = False
            for line in process.stdout:
                said = json.loads(line)
                pair = said["op"], said["mode"]
                if "end" in said:
                    results[pair] = (said["end"], results[pair][1])
                    left.remove(pair)
                    pair, point = (left or [pair])[0], "(before the first point)"
                elif "bad" in said:
                    is_told = True
                    _note(results, pair, "; ".join([said["point"], *said["struck"][1:]]), said["bad"], tell)
                else:
                    point = said["point"]
                    done[pair].append(point)
            status = process.wait()
            reader.join()
        if status and not is_told:
            _note(results, pair, point, [f"the process ended with status {status}", _gist(errors[0])], tell)
            if point.startswith("("):
                left.remove(pair)
        if pair in left and len(results[pair][1]) >= most:
            left.remove(pair)
    return results


def _gist(errors):
    """Return the end of what a process said, or where its main thread hung."""
    text = errors.strip()
    if "(most recent call first)" in text:
        stack = text.rpartition("(most recent call first)")[2].strip().splitlines()
        text = "hung at " + " < ".join(line.strip().removeprefix('File "').rpartition("/")[2] for line in stack[:6])
    return text[-600:]


def _note(results, pair, point, bad, tell):
    results[pair][1].append((point, [each for each in bad if each]))
    tell(pair, *results[pair][1][-1])


def main():
    sys.path.append(str(TESTS))
    from strikes.known import POINT_MODES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operations", nargs="*", metavar="OPERATION")
    parser.add_argument("--every", type=int, default=1, help="strike at every so manieth point")
    parser.add_argument("--alarms", type=int, default=0, help="rounds with random alarms")
    parser.add_argument("--most", type=int, default=1000, help="failures after which to go on with the next")
    parser.add_argument("--mode", action="append", choices=POINT_MODES + ALARM_MODES)
    arguments = parser.parse_args()
    from strikes.operations import OPERATIONS

    modes = arguments.mode or (ALARM_MODES if arguments.alarms else POINT_MODES)
    failed = 0
    for name in arguments.operations or OPERATIONS:
        for mode in modes:
            numbers = {"every": arguments.every, "alarms": arguments.alarms, "most": arguments.most}
            ((points, failures),) = explore([(name, mode)], **numbers).values()
            print(
                f"{'FAILED' if failures else 'ok    '} {name} [{mode}]: {points} points, {len(failures)} failures",
                flush=True,
            )
            for point, bad in failures:
                print(f"    {point}: {'; '.join(bad)}", flush=True)
            failed += bool(failures)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
