"""A handler of `logging` that keeps the records."""

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
