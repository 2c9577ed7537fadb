"""Instrument classification of whole tracks."""

from __future__ import annotations

from mirprobe_tasks.common.classification import VocabularyClassification


class Instrument(VocabularyClassification):
    """Classification into the instruments that the data set declares."""

    name = "instrument"
    annotation = "instrument"
