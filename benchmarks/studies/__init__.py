"""Questions asked once and again: what a part is worth, what was chosen on which split, tables and pictures of the documents."""
