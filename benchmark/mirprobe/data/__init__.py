"""Tracks and their audio: decoding, combined data sets, folders, status."""
