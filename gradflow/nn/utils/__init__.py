"""What is done to the parameters, gradients and sequences of modules, under PyTorch's names."""

from gradflow.nn.utils import parametrizations, parametrize, rnn
from gradflow.nn.utils.vectors import parameters_to_vector, vector_to_parameters
from gradflow.optim.clip import clip_grad_norm_, clip_grad_value_

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "rnn",
    "vector_to_parameters",
]
