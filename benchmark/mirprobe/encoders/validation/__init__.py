"""Checks that an encoder does what it declares: `mirprobe validate-encoder`."""
