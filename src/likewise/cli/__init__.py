"""The command line: one verb a file. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

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

        sys.stderr.write(f"error: {as_options(str(error), options_of(sys.argv[1:]))}\n")
        raise SystemExit(2) from None
    except BrokenPipeError:  # the reader of a pipe has left, as `head` does
        sys.stderr.close()
        raise SystemExit(141) from None
    except OSError as error:  # a full disk, a folder that is not there or may not be written to
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {place}{error.strerror or error}\n")
        raise SystemExit(2) from None
