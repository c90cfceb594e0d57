"""How a pair is scored: one file a model, with its equation, its settings and what it answers."""
