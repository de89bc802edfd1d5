"""What reads the published tables: the only code that names schema `battery`."""
