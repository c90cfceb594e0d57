"""The command line: one verb a file. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

import os
import sys

from likewise.errors import LikewiseError

INTERRUPTED = 130


def main() -> None:
    """Run the command line; what the user can put right is one line on stderr and exit code 2."""
    from likewise.cli.app import app

    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what Typer makes of Ctrl-C
            sys.stderr.write("interrupted: nothing was written\n")
        raise
    except LikewiseError as error:
        from likewise.cli.words import as_options, options_of

        if _first_to_tell():
            sys.stderr.write(f"error: {as_options(str(error), options_of(sys.argv[1:]))}\n")
        raise SystemExit(2) from None
    except BrokenPipeError:  # the reader of a pipe has left, as `head` does
        sys.stderr.close()
        raise SystemExit(141) from None
    except OSError as error:  # a full disk, a folder that is not there or may not be written to
        place = f"{error.filename}: " if error.filename else ""
        if _first_to_tell():
            sys.stderr.write(f"error: {place}{error.strerror or error}\n")
        raise SystemExit(2) from None


def _first_to_tell() -> bool:
    """Whether this process speaks: of the processes of a torchrun job the first one that has something to tell."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return True
    from likewise.solvers.sharded.telling import first_to_tell

    return first_to_tell()
