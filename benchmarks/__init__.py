"""Likewise and its peers on the same splits, side by side."""
