"""Backpropagation made visible: every step of a small graph, with its numbers."""

from gradflow.explanation.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
