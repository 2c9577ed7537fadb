"""The contracts of encoders, data sets and tasks, and the registry that finds them."""
