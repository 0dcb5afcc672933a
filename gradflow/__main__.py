"""The command line, as ``python -m gradflow``."""

from __future__ import annotations

import sys

from gradflow.cli import main

sys.exit(main())
