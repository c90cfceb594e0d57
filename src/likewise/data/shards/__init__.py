"""Ratings that do not fit memory: encoded once, shuffled into shards on disk, read ahead of whoever learns from them."""
