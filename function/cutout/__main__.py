"""``python -m cutout``: see :mod:`cutout.cli`."""

import sys

from cutout.cli.interrupts import end_at_signals

if __name__ == "__main__":
    end_at_signals()  # already now: the imports of the other modules take a third of a second
    from cutout.cli.run import main

    sys.exit(main(sys.argv[1:]))
