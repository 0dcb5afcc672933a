"""Rays through a thick lens of two spherical surfaces: which curvatures bring them to one point?"""

import numpy as np

GLASS = 1.5168  # BK7 at 588 nm
THICKNESS, SCREEN = 4.0, 60.0  # mm


def sphere(xp, origin, direction, vertex, curvature):
    """Where rays meet a spherical surface, and its normals there (facing the light). Shapes (rays, 3)."""
    start = origin - xp.array([0.0, 0.0, vertex])
    b = direction[:, 2] - curvature * xp.sum(start * direction, axis=1)
    c = curvature * xp.sum(start * start, axis=1) - 2 * start[:, 2]
    distance = c / (b + xp.sqrt(b * b - curvature * c))
    point = start + distance[:, None] * direction
    normal = xp.array([0.0, 0.0, 1.0]) - curvature * point
    return point + xp.array([0.0, 0.0, vertex]), normal


def refracted(xp, direction, normal, ratio):
    """Snell's law for unit vectors; ``ratio`` is the refractive index before over that behind."""
    cosine = xp.sum(direction * normal, axis=1)
    root = xp.sqrt(1 - ratio**2 * (1 - cosine**2))
    return ratio * direction + (root - ratio * cosine)[:, None] * normal


def spot(xp, curvatures, heights):
    """The mean squared distance from the axis, on the screen, of parallel rays that enter at ``heights``."""
    zeros = xp.zeros_like(heights)
    origin = xp.stack([zeros, heights, zeros - 10.0], axis=1)
    direction = xp.stack([zeros, zeros, zeros + 1.0], axis=1)
    point, normal = sphere(xp, origin, direction, 0.0, curvatures[0])
    direction = refracted(xp, direction, normal, 1 / GLASS)
    point, normal = sphere(xp, point, direction, THICKNESS, curvatures[1])
    direction = refracted(xp, direction, normal, GLASS)
    height = point[:, 1] + direction[:, 1] / direction[:, 2] * (SCREEN - point[:, 2])
    return xp.mean(height**2)


def problem():
    """The function, the curvatures to begin with (1 / mm), and the heights of the rays (mm)."""
    return spot, np.array([0.012, -0.006]), (np.linspace(-8.0, 8.0, 33),)
