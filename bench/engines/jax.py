"""JAX: jit of the whole step, with value_and_grad and optax.adam, its state donated so that it is updated in place."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import util
from itertools import cycle
from typing import Any

import numpy as np

from bench.cases import Case
from bench.engines import Step, Unavailable

PACKAGE = "jax"
CACHE = "JAX_COMPILATION_CACHE_DIR"
# without a directory they change nothing; with one, what compiled quickly is kept too
ENVIRONMENT = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}


def build(case: Case) -> Step:
    if util.find_spec("optax") is None:
        raise Unavailable("not installed; pip install optax")
    import jax.numpy as jnp

    optimizer, train = _compiled()
    kernels = [(jnp.array(weight), jnp.array(bias)[:, None, None]) for weight, bias in case.kernels()]
    parameters = kernels, [(jnp.array(weight.T), jnp.array(bias)) for weight, bias in case.weights()]
    state = optimizer.init(parameters)
    batches = cycle([(jnp.array(x), jnp.array(labels, np.int32)) for x, labels in case.batches()])

    def step() -> float:
        nonlocal parameters, state
        parameters, state, loss = train(parameters, state, *next(batches))
        return float(loss)

    return step


@cache
def _compiled() -> tuple[Any, Callable[..., Any]]:
    """optax's Adam, and the compiled function that trains on one batch."""
    import jax
    import optax

    optimizer = optax.adam(1e-3)

    def loss_of(parameters: Any, x: Any, labels: Any) -> Any:
        kernels, (*hidden, (weight, bias)) = parameters
        for w, b in kernels:
            x = jax.nn.relu(jax.lax.conv_general_dilated(x, w, (2, 2), ((1, 1), (1, 1))) + b)
        x = x.reshape(len(x), -1)
        for w, b in hidden:
            x = jax.nn.relu(x @ w + b)
        return optax.softmax_cross_entropy_with_integer_labels(x @ weight + bias, labels).mean()

    def train(parameters: Any, state: Any, x: Any, labels: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, labels)
        updates, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state, loss

    return optimizer, jax.jit(train, donate_argnums=(0, 1))
