"""Networks: each file is an equation, its settings, and its layers. Importing a file here does not import torch."""
