"""What a signal handler raises, in tests of what it strikes."""


class Struck(BaseException):
    """Which no code but the test's expects."""
