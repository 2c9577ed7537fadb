"""Task plug-ins: one task a file."""
