"""How a recommender is kept: one folder of safetensors, JSON and Parquet."""
