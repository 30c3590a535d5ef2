"""Lease: an interpreter that is lent to somebody, in the place of a worker."""


class Lease:
    """One lending. Its borrower sets `is_over`, first of all it does at the end; the pool reads it."""

    __slots__ = ("is_over",)

    def __init__(self) -> None:
        self.is_over = False
