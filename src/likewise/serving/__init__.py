"""How it is asked over the network."""
