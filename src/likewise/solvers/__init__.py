"""How parameters are found: gradient, Gibbs, alternating least squares, closed form, sharded."""
