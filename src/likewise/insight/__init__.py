"""What a recommender learned, in tables and pictures."""
