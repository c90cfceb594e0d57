"""How a fitted recommender meets someone new."""
