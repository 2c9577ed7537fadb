"""Checks that an encoder keeps the Encoder protocol: `mirprobe validate-encoder`."""
