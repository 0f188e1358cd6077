"""``python -m cutout``: see :mod:`cutout.cli`."""

import sys

from cutout.cli.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
