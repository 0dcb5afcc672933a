"""A photograph that was out of focus, reconstructed: the image whose blur is what was seen, and that is not noisy."""

import numpy as np

NOISE, SMOOTHNESS = 1e-2, 1e-2


def blurred(xp, image, spectrum):
    """``image`` convolved, with the blur given by its Fourier transform."""
    return xp.fft.irfft2(xp.fft.rfft2(image) * spectrum, s=image.shape)


def variation(xp, image):
    """How much the image varies, smoothly where it does not (Rudin, Osher & Fatemi 1992)."""
    across, down = xp.diff(image, axis=1)[:-1], xp.diff(image, axis=0)[:, :-1]
    return xp.sum(xp.sqrt(across**2 + down**2 + 1e-4))


def objective(xp, image, seen, spectrum):
    """The misfit to what was seen and the variation, weighted."""
    return 0.5 * xp.sum((blurred(xp, image, spectrum) - seen) ** 2) + SMOOTHNESS * variation(xp, image)


def problem(size=24):
    """The function, the image to begin with, what was seen, and the spectrum of the blur."""
    rng = np.random.default_rng(0)
    truth = np.zeros((size, size))
    truth[size // 4 : size // 2, size // 3 : -4] = 1.0
    row = np.minimum(np.arange(size), size - np.arange(size))
    spot = np.exp(-(row[:, None] ** 2 + row[None, :] ** 2) / 4.0)
    spectrum = np.fft.rfft2(spot / spot.sum())
    seen = blurred(np, truth, spectrum) + NOISE * rng.normal(size=truth.shape)
    return objective, seen.copy(), (seen, spectrum)
