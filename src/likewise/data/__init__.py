"""What happened: tables of who liked what, read, encoded, validated and split."""
