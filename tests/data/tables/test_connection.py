"""How duckdb is asked."""

import signal

import duckdb
import pytest

from preceptor.data.tables.connection import connect

SECONDS_OF_WORK = "SELECT max(hash(i)) FROM range(2000000000) numbers(i)"


def test_a_signal_that_breaks_a_query_off_is_an_interrupt_and_no_fault():
    """duckdb raises RuntimeError in place of what the signal's handler raised."""

    def interrupt(number, frame):
        raise KeyboardInterrupt

    def asked(connection):
        connection.execute("SET threads = 1")
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        connection.execute(SECONDS_OF_WORK).fetchnumpy()

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with duckdb.connect() as connection, pytest.raises(RuntimeError, match=r"^Query interrupted$"):
            asked(connection)
        with pytest.raises(KeyboardInterrupt), connect() as connection:
            asked(connection)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_other_errors_stay_what_they_are():
    with pytest.raises(duckdb.Error), connect() as connection:
        connection.execute("SELECT nothing")
    with pytest.raises(RuntimeError, match=r"^of ours$"), connect():
        raise RuntimeError("of ours")
