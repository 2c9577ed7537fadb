"""Genre: which one a track belongs to."""

from __future__ import annotations

from mirprobe_tasks.common.classification import DeclaredClasses


class Genre(DeclaredClasses):
    """Classification of whole tracks into the genres that the data set declares."""

    name = "genre"
    annotation = "genre"
