"""Lands battery-cycling JSON files, whole, in a raw zone of PostgreSQL."""
