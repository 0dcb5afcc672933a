"""The vocabulary: every operation, by family."""
