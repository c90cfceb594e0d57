"""The promises of the project, each measured from outside: `make bars`, or `python -m benchmarks.bars.NAME`."""
