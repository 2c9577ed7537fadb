"""GiantSteps-MTG key: excerpts of electronic dance music with their key and how sure it is.

Annotated by Ángel Faraldo at the Music Technology Group in Barcelona.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Annotations, Split, Track
from mirprobe.metrics.key import key_class
from mirprobe_tasks.datasets.splits import divide
from mirprobe_tasks.datasets.table_files import bad_row, existing, read_rows, ready

SURE = "2"
"""The highest of the confidences 0, 1 and 2."""


class GiantStepsMtgKey:
    """Two-minute excerpts whose annotator is sure of one key.

    Of the 1,486 excerpts those with the confidence 2 and a single major or minor key are used, the
    rule of Korzeniowski and Widmer (End-to-end musical key estimation using a convolutional neural
    network, EUSIPCO 2017): `C minor / F# minor`, `-` and any key of confidence 0 or 1 are left out.

    There is no official split: the excerpts are divided 8:1:1. The annotations do not name the
    artists, so that each excerpt is its own group; remixes of a song may be in two splits.
    `beatport_key` is a later revision of the same excerpts; `giantsteps_key` is another set.
    """

    name: str = "giantsteps_mtg_key"
    tags: tuple[str, ...] = ()
    trim: float = 0.0
    sheet = DatasetInfo(
        tracks=1_486,
        hours=None,
        gigabytes=None,
        licence="none is stated; audio: previews of commercial recordings",
        source="https://github.com/GiantSteps/giantsteps-mtg-key-dataset",
        obtain="clone the repository and run its audio_dl.sh, so that annotations/annotations.txt "
        "and audio/5061.LOFI.mp3 and so on lie here; about one in four is not used",
    )

    def __init__(self, root: Path) -> None:
        """Describe the data set; nothing is read yet.

        Args:
            root: holds `annotations/annotations.txt` and `audio/ID.LOFI.mp3`.
        """
        self._root = Path(root)

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """Every excerpt that is used, by split; needs no audio.

        Raises:
            ConfigError: the annotations are missing or not as they were published.
        """
        path = existing(self._root / "annotations" / "annotations.txt", self.name, self.sheet)
        tracks = []
        for line, (track, key, confidence, *_) in read_rows(path, "\t", ["ID", "MANUAL KEY", "C"]):
            if not track.isdigit() or confidence.strip() not in ("0", "1", "2"):
                raise bad_row(
                    path, line, f"'{track}' and '{confidence}' are not an id and a confidence"
                )
            if confidence.strip() != SURE or not _single(key.strip()):
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

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Look whether there is audio; nothing is fetched.

        Raises:
            ConfigError: there is none at all.
        """
        yield from ready(tracks, self._root, self.name, self.sheet)


def _single(key: str) -> bool:
    """Whether it is one major or minor key rather than several, or none."""
    try:
        return key_class(key) >= 0
    except ValueError:
        return False
