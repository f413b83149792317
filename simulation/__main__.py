"""`python -m simulation`: see `--help`."""

import sys

from simulation.clockwork import require_fixed_hashes
from simulation.command import main

if __name__ == "__main__":
    require_fixed_hashes()
    sys.exit(main(sys.argv[1:]))
