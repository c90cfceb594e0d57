"""How scores become a list: the best items of each person, masked, filtered and reranked."""
