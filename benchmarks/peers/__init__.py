"""One file a peer: a screen that fits it and asks it, run in the peer's own environment."""
