"""``python -m aistudio`` and the console script ``aistudio``."""

import sys

from aistudio.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
