"""Models that are torch modules; the only models that import torch."""
