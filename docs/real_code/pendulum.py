"""A pendulum with friction, by the classical Runge-Kutta method: which length and friction swing as was measured?"""

import numpy as np

GRAVITY = 9.81


def derivative(xp, state, length, friction):
    """How fast angle and speed of the pendulum change."""
    angle, speed = state
    return xp.array([speed, -GRAVITY / length * xp.sin(angle) - friction * speed])


def swing(xp, length, friction, start=(1.0, 0.0), seconds=2.0, steps=100):
    """The angle after every step of the Runge-Kutta method of order four."""
    h = seconds / steps
    state, angles = xp.array(start), []
    for _ in range(steps):
        k1 = derivative(xp, state, length, friction)
        k2 = derivative(xp, state + h / 2 * k1, length, friction)
        k3 = derivative(xp, state + h / 2 * k2, length, friction)
        k4 = derivative(xp, state + h * k3, length, friction)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        angles.append(state[0])
    return xp.stack(angles)


def misfit(xp, parameters, measured):
    """The mean squared distance between the computed and the measured angles."""
    return xp.mean((swing(xp, parameters[0], parameters[1]) - measured) ** 2)


def problem():
    """The function, the parameters to begin with, and what is measured: the swing of another pendulum."""
    return misfit, np.array([1.2, 0.1]), (swing(np, 1.0, 0.3),)
