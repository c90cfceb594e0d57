"""Starts one command from a small process and writes what it cost: `python launch.py REPORT TIMEOUT COMMAND...`

Linux counts the memory of the process that starts another into the other's peak, so a large runner would hide what a small
contender needs. This one needs some ten megabytes. The standard library alone, and little of it.
"""

import os
import signal
import sys
from time import perf_counter


def main() -> int:
    report, timeout, *command = sys.argv[1:]
    start = perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, float(timeout))
    _, status, usage = os.wait4(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    seconds = perf_counter() - start
    with open(report, "w") as file:  # noqa: PTH123 - pathlib would double the size of this process
        print(os.waitstatus_to_exitcode(status), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
