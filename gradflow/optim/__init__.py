"""Optimizers: how gradients become better parameters."""

from gradflow.optim.adam import Adam, AdamW
from gradflow.optim.clip import clip_grad_norm_, clip_grad_value_
from gradflow.optim.optimizer import Optimizer
from gradflow.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm_", "clip_grad_value_"]
