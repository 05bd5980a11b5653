"""Error locations: which record of a batch, or which line of a record, was refused."""

import contextlib

from ...exceptions import GatewayError


class Located(Exception):
    """What its cause says is about one place of a call."""

    def __init__(self, place):
        super().__init__(place)
        self._place = place

    def of(self, fault):
        return fault.within(self._place)


@contextlib.contextmanager
def within(place):
    """Names the place in what the block refuses."""
    try:
        yield
    except GatewayError as refusal:
        raise refusal.within(place) from refusal.__cause__


def of_record(record_id):
    return f"the record with the id {record_id}"
