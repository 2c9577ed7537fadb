"""Figures of finished runs, drawn with matplotlib; each has its caption as its label."""
