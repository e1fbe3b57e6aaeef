"""`python -m training`: the command of the training image."""

import sys

from training.launcher import main

sys.exit(main())
