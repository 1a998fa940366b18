"""`rvae-lite` and `python -m rvae_lite`: the command line; an interrupt is always quiet."""

import sys


def main() -> None:
    """Load the command line and run it; an interrupt, while loading too, exits with 130."""
    try:
        from rvae_lite.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
