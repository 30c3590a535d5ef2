"""The connections of a server that answers lines, and nothing but that: who is read, who is answered, who must wait.

Owns what each connection has to get and when it is heard. It must not know sockets, clocks or what is asked: bytes come
and go, times are given. Whoever asks without end, never reads, or sends no line, costs the program a bounded amount of
memory, and of its time an answer each PAUSE seconds.
"""

from interp_pool._seeing.shapes import LONGEST_QUESTION

PAUSE = 0.05  # seconds from one answer to the next for the same connection
MOST = 8  # connections


class Connection:
    """One connection, as bytes."""

    __slots__ = ("_inbox", "_outbox", "heard_at", "is_ending", "rests_until")

    def __init__(self, now: float) -> None:
        self._inbox = b""
        self._outbox = memoryview(b"")
        self.heard_at = now
        """When something came last."""
        self.rests_until = now
        """When it may be answered again."""
        self.is_ending = False
        """Nothing more comes, or is wanted."""

    @property
    def is_done(self) -> bool:
        """Whether to close it."""
        return self.is_ending and not self._outbox and not self._has_line

    @property
    def is_reading(self) -> bool:
        """Whether to read from it: it owes no answer, and has asked nothing."""
        return not (self.is_ending or self._outbox or self._has_line)

    @property
    def is_writing(self) -> bool:
        """Whether it has something to get."""
        return bool(self._outbox)

    @property
    def is_asking(self) -> bool:
        """Whether it has asked something, and has got all answers before."""
        return self._has_line and not self._outbox

    @property
    def unsent(self) -> memoryview:
        """What it is still to get."""
        return self._outbox

    @property
    def _has_line(self) -> bool:
        return b"\n" in self._inbox

    def take(self, data: bytes, now: float) -> None:
        """Take what came; nothing is the end."""
        self.heard_at = now
        if not data:
            self.is_ending = True
        self._inbox += data
        if len(self._inbox) > LONGEST_QUESTION and not self._has_line:
            self._inbox = b""
            self.answer(b'{"error": "a question must be one line of at most %d bytes"}' % LONGEST_QUESTION, now)
            self.is_ending = True

    def next_line(self) -> bytes:
        """Take out the next question. There is one."""
        line, _, self._inbox = self._inbox.partition(b"\n")
        return line

    def answer(self, line: bytes, now: float) -> None:
        """Send an answer, and hear no question for a while."""
        self._outbox = memoryview(line + b"\n")
        self.rests_until = now + PAUSE

    def note_sent(self, count: int) -> None:
        """Note that so many bytes are gone."""
        self._outbox = self._outbox[count:]


def next_to_close[K](connections: "dict[K, Connection]") -> "K | None":
    """Return which connection makes room for another one: of those that are too many, the one that is quiet longest."""
    if len(connections) < MOST:
        return None
    return min(connections, key=lambda key: connections[key].heard_at)
