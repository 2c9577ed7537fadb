"""Suites, one YAML file each; `mirprobe run --suite NAME` runs a suite."""
