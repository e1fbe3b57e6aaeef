"""`python -m publishing`: the command of the publishing image."""

import sys

from publishing.job import main

sys.exit(main())
