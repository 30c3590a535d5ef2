"""What was logged: a handler that keeps the records, and the warnings among what the fixture `logged` gives."""

import logging


class Kept(logging.Handler):
    """Keeps the records, and does something with each, if somebody says what."""

    def __init__(self):
        super().__init__()
        self.records = []
        self.act = None

    def emit(self, record):
        self.records.append(record)
        if self.act is not None:
            self.act(record)

    @property
    def texts(self):
        return [record.getMessage() for record in self.records]


def warnings_of(logged):
    return [message for level, message, _ in logged if level == logging.WARNING]
