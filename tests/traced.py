"""Reading a trace in tests: its events, and whether they are what the Trace Event format says.

Source: Google's "Trace Event Format", of which Perfetto's trace_processor reads these phases.
"""

from __future__ import annotations

import json
from collections import defaultdict

SLACK = 0.002  # us: the format's numbers are floats
NEEDED = {
    "X": {"name": str, "cat": str, "ts": float, "dur": float},
    "i": {"name": str, "cat": str, "ts": float, "s": str},
    "C": {"name": str, "ts": float, "args": dict},
    "M": {"name": str, "args": dict},
    "s": {"name": str, "cat": str, "ts": float, "id": int},
    "t": {"name": str, "cat": str, "ts": float, "id": int, "bp": str},
    "f": {"name": str, "cat": str, "ts": float, "id": int, "bp": str},
}


class Traced:
    """What is in the file of a trace, which is checked."""

    def __init__(self, path, *, is_whole=True):
        text = path.read_text(encoding="utf-8")
        if not is_whole:  # the format allows that the end is missing
            text = text[: text.rindex("\n")].rstrip(",") + "\n]"
        self.events = json.loads(text)
        check(self.events)

    def slices(self, *categories):
        """Return the slices of some categories."""
        return [event for event in self.events if event["ph"] == "X" and event["cat"] in categories]

    def tasks(self, name=None):
        """Return the slices of tasks, all or those of one name."""
        return [event for event in self.slices("task", "map") if name in (None, event["name"])]

    def outcomes(self):
        """Return how tasks have ended that had no result, by name, in order."""
        return [(each["name"], each["args"]["outcome"]) for each in self.tasks() if "outcome" in each["args"]]

    def instants(self):
        """Return the names of instants."""
        return [event["name"] for event in self.events if event["ph"] == "i"]

    def counts(self):
        """Return how many tasks waited and ran."""
        found = [event["args"] for event in self.events if event["ph"] == "C" and event["name"] == "tasks"]
        return [(each["waiting"], each["running"]) for each in found]

    def tracks(self, what="thread_name"):
        """Return the names of tracks, by process and thread."""
        named = [event for event in self.events if event["ph"] == "M" and event["name"] == what]
        return {(event["pid"], event["tid"]): event["args"]["name"] for event in named}


def check(events):
    """Assert that events are what the format says, and that slices nest and arrows lead from one to another.

    Events need not be in the order of time. Where two are at the same one that of the file counts: so an arrow comes
    after the slice that it is bound to, which is one that has begun and does not end at that moment.
    """
    slices, arrows = defaultdict(list), defaultdict(list)
    for place, event in enumerate(events):
        for name, kind in NEEDED[event["ph"]].items():
            assert isinstance(event[name], kind), event
        assert isinstance(event["pid"], int), event
        assert isinstance(event["tid"], int), event
        track = event["pid"], event["tid"]
        if event["ph"] == "X":
            assert event["ts"] > 0, event
            assert event["dur"] >= 0, event
            slices[track].append(event | {"place": place})
        elif event["ph"] in "stf":
            arrows[event["id"]].append((track, event | {"place": place}))
        elif event["ph"] == "C":
            assert all(isinstance(value, int) and value >= 0 for value in event["args"].values()), event
        elif event["ph"] == "i":
            assert event["s"] in {"t", "p", "g"}, event
        elif event["name"].endswith("_name"):
            assert isinstance(event["args"]["name"], str), event
        elif event["name"].endswith("_sort_index"):
            assert isinstance(event["args"]["sort_index"], int), event
    for own in slices.values():
        check_nesting(own)
    for own in arrows.values():
        own.sort(key=lambda each: "stf".index(each[1]["ph"]))
        assert [event["ph"] for _, event in own] in (["s", "t", "f"], ["s", "f"])
        assert len({(event["name"], event["cat"]) for _, event in own}) == 1, own  # as the id, they tell arrows apart
        assert all(event.get("bp", "e") == "e" for _, event in own), own  # to the slice around it, not the next one
        times = [event["ts"] for _, event in own]
        assert times == sorted(times), own
        for track, event in own:  # each end is in a slice
            assert any(_is_bound(event, each) for each in slices[track]), event


def check_nesting(slices):
    """Assert that of two slices of a track one is in the other, or they do not overlap."""
    open_ends = []
    for each in sorted(slices, key=lambda each: (each["ts"], -each["dur"])):
        while open_ends and open_ends[-1] <= each["ts"] + SLACK:
            open_ends.pop()
        end = each["ts"] + each["dur"]
        assert not open_ends or end <= open_ends[-1] + SLACK, each
        open_ends.append(end)


def _is_bound(arrow, each):
    has_begun = (each["ts"], each["place"]) < (arrow["ts"], arrow["place"])
    return has_begun and arrow["ts"] < each["ts"] + each["dur"]
