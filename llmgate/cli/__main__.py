"""`python -m llmgate.cli`: the same as `llmgate`."""

import sys

from . import main

sys.exit(main())
