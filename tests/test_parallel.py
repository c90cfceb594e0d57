"""Work spread over threads is done once each, and errors come out."""

from threading import get_ident

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from likewise.errors import InputError
from likewise.parallel import in_threads, one_thread_a_product, thread_count


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


def test_an_error_ends_the_work():
    done = []

    def work(piece):
        done.append(piece)
        if piece == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_threads(work, 1000, 1)
    assert len(done) == 4


def test_blocks_that_overlap_leave_the_products_as_they_were():
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before, (one, other) = threads(), (one_thread_a_product(), one_thread_a_product())
        one.__enter__()
        other.__enter__()
        one.__exit__(None, None, None)
        assert set(threads()) <= {1}
        other.__exit__(None, None, None)
        assert threads() == before


def test_threads_are_counted():
    assert thread_count(3) == 3 and thread_count() >= 1
    with pytest.raises(InputError, match="at least 1"):
        thread_count(0)
