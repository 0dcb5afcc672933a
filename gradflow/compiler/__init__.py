"""gf.compile: a step is traced once, becomes a plan, and is replayed."""
