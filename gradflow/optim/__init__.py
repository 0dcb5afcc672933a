"""Optimizers: how gradients become better parameters."""

from gradflow.optim import lr_scheduler
from gradflow.optim.adam import Adam, AdamW
from gradflow.optim.adaptive import Adadelta, Adagrad, Adamax, NAdam, RAdam
from gradflow.optim.clip import clip_grad_norm_, clip_grad_value_
from gradflow.optim.grad_scaler import GradScaler
from gradflow.optim.lbfgs import LBFGS
from gradflow.optim.lion import Lion
from gradflow.optim.optimizer import Optimizer
from gradflow.optim.rmsprop import RMSprop
from gradflow.optim.sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "GradScaler",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
]
