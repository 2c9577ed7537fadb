"""A run from configuration to scores."""
