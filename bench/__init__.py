"""Measurements: one training step beside other libraries, single ops, and the import; see ``python -m bench -h``."""
