"""Schema `raw`: what is landed, and all SQL on it."""
