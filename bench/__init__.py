"""Measurements: one training step beside other libraries, single ops, and the import; see ``python -m bench -h``."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
