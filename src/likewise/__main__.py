"""`python -m likewise` is `likewise`."""

from likewise.cli import main

if __name__ == "__main__":
    main()
