"""Suites: one YAML file each, run as `mirprobe run --suite NAME`."""
