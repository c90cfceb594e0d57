"""How good a list or a rating is; nothing here fits anything."""
