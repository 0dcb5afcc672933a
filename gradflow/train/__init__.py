"""Training classifiers: a multi-layer perceptron, epochs of gradient descent, and its file."""

from gradflow.train.early_stopping import hold_out, stop_early
from gradflow.train.evaluation import Score, confusions, evaluate, logits, probabilities
from gradflow.train.fit import Epoch, fit, train_step
from gradflow.train.mlp import ACTIVATIONS, MLP, parse_sizes
from gradflow.train.model_file import load_model, save_model

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Epoch",
    "Score",
    "confusions",
    "evaluate",
    "fit",
    "hold_out",
    "load_model",
    "logits",
    "parse_sizes",
    "probabilities",
    "save_model",
    "stop_early",
    "train_step",
]
