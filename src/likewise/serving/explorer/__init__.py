"""The page on which anybody sees what the recommender thinks: HTML, CSS and ES modules over the public REST API."""
