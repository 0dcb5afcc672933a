"""Training steps with layers of images and sequences, compiled: what the step itself does, to the digit that fits."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.nn.functional import cross_entropy
from gradflow.testing.cases import tolerance


class Reader(nn.Module):
    """An attention over what a recurrent layer says."""

    def __init__(self):
        super().__init__()
        self.states, self.attend = nn.GRU(4, 6, batch_first=True), nn.MultiheadAttention(6, 2, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        h, _ = self.states(x)
        out, _ = self.attend(h, h, h, need_weights=False, is_causal=True)
        return self.head(out[:, -1])


def images():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding="same"), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.GroupNorm(2, 4), nn.SiLU(),
        nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(4, 6, 1, stride=2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.RMSNorm(6), nn.Linear(6, 3),
    )  # fmt: skip


@pytest.mark.parametrize(("make", "shape"), [(images, (5, 2, 8, 6)), (Reader, (5, 7, 4))], ids=["images", "sequences"])
def test_a_compiled_step_trains_as_the_step_does(make, shape, rng):
    batches = [(gf.tensor(rng.standard_normal(shape), "float32"), gf.tensor(rng.integers(0, 3, 5))) for _ in range(5)]
    losses = []
    for transform in (lambda step: step, gf.compile):
        gf.manual_seed(0)
        model = make()
        updating = gf.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step(x, labels, model=model, updating=updating):
            updating.zero_grad()
            loss = cross_entropy(model(x), labels)
            loss.backward()
            updating.step()
            return loss

        train = transform(step)
        losses.append([train(*batch).item() for batch in batches])
        losses[-1] += [float(np.abs(p.detach().numpy()).sum()) for p in model.parameters()]
    assert len(train.reasons) == 2, train.explain()  # at first there are no gradients yet
    np.testing.assert_allclose(losses[1], losses[0], rtol=0, atol=100 * tolerance(gf.float32, max(losses[0])))
