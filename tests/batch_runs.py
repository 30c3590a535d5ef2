"""A batch of a worker that runs here, with what it says and a clock that the test moves."""

from __future__ import annotations

from interp_pool._wire.messages import BATCH_PART, BATCH_REST, SINGLE, SPLIT
from interp_pool._worker.batch import Batch

WORK_ID = 7


class Clock:
    """Time that passes when the test says so."""

    def __init__(self):
        self.now = 1.0

    def __call__(self):
        return self.now


class Run:
    """One batch, run here. What an item does is a function of its own."""

    def __init__(self, items, do, flags=SINGLE | SPLIT):
        self.sent, self.ran = [], []
        self._do = do
        self.count = len(items)
        self.batch = Batch(WORK_ID, items, flags, self.sent.append, lambda *part: part)

    def __call__(self, item):
        self.ran.append(item)
        return self._do(self, item)

    def go(self):
        """Run it; return the results of all parts, and the failures by position."""
        try:
            last, self.seconds = self.batch.run(self, repr, lambda: None)
        finally:
            self.batch.end()
        results, failures = [], {}
        for start, part, failed in [*(body for kind, _, body, _ in self.sent if kind == BATCH_PART), last]:
            assert start == len(results)
            failures.update({start + position: failure for position, failure in failed.items()})
            results.extend(part)
        return results, failures

    @property
    def kept(self):
        """What was said of how many items the batch keeps; all, if nothing was."""
        said = {body for kind, work_id, body, _ in self.sent if kind == BATCH_REST and work_id == WORK_ID}
        assert len(said) <= 1
        return said.pop() if said else self.count

    def give_back(self):
        """Do what the control thread does, in the middle of an item: the lock of the interpreter changes hands here."""
        self.batch.give_back(WORK_ID)
