"""How scores become a list: exact, masked, filtered, re-ranked."""
