"""Learning-rate schedules: how the rate of an optimizer changes from step to step."""

from gradflow.optim.lr_scheduler.composed import ChainedScheduler, SequentialLR
from gradflow.optim.lr_scheduler.cycle import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from gradflow.optim.lr_scheduler.factor import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from gradflow.optim.lr_scheduler.plateau import ReduceLROnPlateau
from gradflow.optim.lr_scheduler.scheduler import LambdaLR, LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
