"""Instrument: which one plays."""

from __future__ import annotations

from mirprobe_tasks.common.classification import DeclaredClasses


class Instrument(DeclaredClasses):
    """Classification of whole tracks into the instruments that the data set declares."""

    name = "instrument"
    annotation = "instrument"
