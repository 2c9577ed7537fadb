"""Genre classification of whole tracks."""

from __future__ import annotations

from mirprobe_tasks.common.classification import VocabularyClassification


class Genre(VocabularyClassification):
    """Classification into the genres that the data set declares."""

    name = "genre"
    annotation = "genre"
