"""GiantSteps-MTG key: excerpts of electronic dance music with key and confidence.

Annotated by Ángel Faraldo at the Music Technology Group in Barcelona.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Annotations, Split, Track
from mirprobe.metrics.key import key_class
from mirprobe_tasks.datasets.splits import divide
from mirprobe_tasks.datasets.table_files import TableDataset, bad_row, read_rows

HIGHEST_CONFIDENCE = "2"
"""Of 0, 1 and 2."""


class GiantStepsMtgKey(TableDataset):
    """Two-minute excerpts of electronic dance music: key, annotated with high confidence.

    Of the 1,486 excerpts, those with confidence 2 and a single major or minor key are used, as in
    Korzeniowski and Widmer (End-to-end musical key estimation using a convolutional neural network,
    EUSIPCO 2017): `C minor / F# minor`, `-` and keys of confidence 0 or 1 are left out.

    There is no official split; the excerpts are divided 8:1:1. The annotations do not name the
    artists, so each excerpt is its own group; remixes of a song may be in two splits.
    `beatport_key` is a later revision of the same excerpts; `giantsteps_key` is another data set.
    """

    name = "giantsteps_mtg_key"
    sheet = DatasetInfo(
        tracks=1_486,
        licence="none is stated; audio: previews of commercial recordings",
        source="https://github.com/GiantSteps/giantsteps-mtg-key-dataset",
        obtain="clone the repository and run its audio_dl.sh, so that annotations/annotations.txt "
        "and audio/5061.LOFI.mp3 and so on are here; about one in four is not used",
    )

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """The tracks of each split; needs no audio.

        Raises:
            ConfigError: the annotations are missing or differ from the published ones.
        """
        path = self.require(self._root / "annotations" / "annotations.txt")
        tracks = []
        for line, (track, key, confidence, *_) in read_rows(path, "\t", ["ID", "MANUAL KEY", "C"]):
            if not track.isdigit() or confidence.strip() not in ("0", "1", "2"):
                raise bad_row(
                    path, line, f"'{track}' and '{confidence}' are not an id and a confidence"
                )
            if confidence.strip() != HIGHEST_CONFIDENCE or not _single(key.strip()):
                continue
            tracks.append(
                Track(
                    id=track,
                    audio=self._root / "audio" / f"{track}.LOFI.mp3",
                    group=track,
                    annotations=Annotations(key=key.strip()),
                )
            )
        return divide(tracks, name=self.name)


def _single(key: str) -> bool:
    """Whether the label is one major or minor key."""
    try:
        return key_class(key) >= 0
    except ValueError:
        return False
