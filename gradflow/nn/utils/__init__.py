"""What is done to the parameters and the sequences of modules, under PyTorch's names."""

from gradflow.nn.utils import rnn

__all__ = ["rnn"]
