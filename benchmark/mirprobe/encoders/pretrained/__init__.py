"""Trained models that pip delivers whole: nothing is downloaded when they run."""
