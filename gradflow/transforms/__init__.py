"""Functions of functions: derivatives in both modes, vectorization, recomputation; they nest in any order."""
