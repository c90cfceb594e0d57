"""What people did since the model was made, kept in a database."""
