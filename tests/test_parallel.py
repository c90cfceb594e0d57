"""Work spread over threads is done once each, and errors come out."""

from threading import get_ident

import pytest

from likewise.errors import InputError
from likewise.parallel import in_threads, thread_count


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_piece_is_done_once(threads):
    done, where = [], set()

    def work(piece):
        done.append(piece)
        where.add(get_ident())

    in_threads(work, 100, threads)
    assert sorted(done) == list(range(100)) and len(where) <= threads
    in_threads(work, 0, threads)
    assert len(done) == 100


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_by_the_caller(threads):
    def work(piece):
        if piece == 7:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_threads(work, 10, threads)


def test_threads_are_counted():
    assert thread_count(3) == 3 and thread_count() >= 1
    with pytest.raises(InputError, match="at least 1"):
        thread_count(0)
