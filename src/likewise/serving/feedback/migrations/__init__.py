"""How the feedback database came to be what it is, one step a file."""
