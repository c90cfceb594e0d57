"""The posterior by Gibbs sampling: many plausible parameters instead of one."""
