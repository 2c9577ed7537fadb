"""MagnaTagATune: half-minute clips with tags from the game TagATune.

Law, West, Mandel, Bay, Downie: Evaluation of algorithms using games: the case of music tagging,
ISMIR 2009.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from numpy.lib.format import read_array

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError, MissingDataError
from mirprobe.core.schema import SPLITS, Annotations, Split, Track
from mirprobe_tasks.datasets.table_files import TableDataset, bad_row, read_rows

TAGS = (
    *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast"),
    *("piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male"),
    *("singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman"),
    *("male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice"),
    *("new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice"),
    *("weird", "country", "metal", "female voice", "choral"),
)
"""The 50 most frequent tags, in the order of top50_tags.txt of minzwon/sota-music-tagging-models,
spelled as in annotations_final.csv."""

FOLDERS: Mapping[Split, str] = {"train": "0123456789ab", "valid": "c", "test": "def"}
"""Split -> first letters of the path of a clip: the split 12:1:3."""

EMPTY = frozenset({"35644", "55753", "57881"})
"""Clips whose files contain no audio."""

_SONG = re.compile(
    r"-\d+-\d+\.mp3$"
)  # the name of a clip is that of its song, with start and end in seconds


class MagnaTagATune(TableDataset):
    """29-second clips: 50 tags, with a choice of two published splits.

    `split=folders`, the default: 12:1:3 by the folders 0 to b, c, and d to f, as in Lee, Park, Kim
    and Nam (Sample-level deep convolutional neural networks, SMC 2017) and most later papers; all
    25,860 clips with audio, also those without any of the 50 tags.
    `split=clean`: 15,247, 1,529 and 4,332 clips with at least one tag and 29.1 seconds of audio;
    the lists of Won, Ferraro, Bogdanov and Serra (Evaluation of CNN-based automatic music tagging
    models, SMC 2020) must be in the folder `clean`.

    Groups are songs; all clips of a song are in one folder.
    """

    name = "magnatagatune"
    tags = TAGS
    sheet = DatasetInfo(
        tracks=25_860,
        hours=209.0,
        gigabytes=3.0,
        licence="CC BY-NC-SA 3.0",
        source="Law et al., ISMIR 2009; http://tagatune.org/Magnatagatune.html",
        obtain="download mp3.zip.001, .002, .003 and annotations_final.csv; "
        "`cat mp3.zip.* > mp3.zip && unzip mp3.zip`, so that the folders 0 to 9 and a to f are "
        "beside annotations_final.csv",
    )

    def __init__(self, root: Path, split: str = "folders") -> None:
        """Set the options; nothing is read yet.

        Args:
            root: contains annotations_final.csv and the folders 0 to f; for the clean split, also
                `clean` with train.npy, valid.npy and test.npy.
            split: `folders` or `clean`.

        Raises:
            ConfigError: there is no such split.
        """
        if split not in ("folders", "clean"):
            raise ConfigError(f"{self.name}: unknown split '{split}'; it is folders or clean")
        super().__init__(root)
        self._clean = split == "clean"

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """The tracks of each split; needs no audio.

        Raises:
            ConfigError: the annotations or the lists of the clean split are missing, or differ from
                the published ones.
        """
        clips = self._clips()
        if self._clean:
            return {
                split: [clips[path] for path in self._clean_split(split, clips)] for split in SPLITS
            }
        return {
            split: [clip for path, clip in clips.items() if path[0] in FOLDERS[split]]
            for split in SPLITS
        }

    def _clips(self) -> dict[str, Track]:
        """Path below the root -> clip, of all clips with audio."""
        path = self.require(self._root / "annotations_final.csv")
        rows = read_rows(path, "\t", ["clip_id"], keep_header=True)
        _, header = next(rows)
        missing = sorted({*TAGS, "mp3_path"} - set(header))
        if missing:
            raise bad_row(path, 1, f"has no column '{missing[0]}'")
        columns = [(tag, header.index(tag)) for tag in TAGS]
        path_column = header.index("mp3_path")
        clips = {}
        for line, fields in rows:
            if len(fields) != len(header):
                raise bad_row(path, line, f"has {len(fields)} fields, the header {len(header)}")
            if fields[0] in EMPTY:
                continue
            audio = fields[path_column]
            if audio[:1] not in "0123456789abcdef" or audio[1:2] != "/":
                raise bad_row(path, line, f"mp3_path is '{audio}', not in a folder 0 to f")
            if audio in clips:
                raise bad_row(path, line, f"'{audio}' is a duplicate")
            values = {tag: fields[column] for tag, column in columns}
            wrong = [tag for tag, value in values.items() if value not in ("0", "1")]
            if wrong:
                raise bad_row(path, line, f"'{wrong[0]}' is '{values[wrong[0]]}', not 0 or 1")
            clips[audio] = Track(
                id=fields[0],
                audio=self._root / audio,
                group=_SONG.sub("", audio),
                annotations=Annotations(
                    tags={tag: 1.0 for tag, value in values.items() if value == "1"}
                ),
            )
        return clips

    def _clean_split(self, split: Split, clips: Mapping[str, Track]) -> list[str]:
        """The paths in a list of the clean split, an array of `NUMBER<tab>PATH`."""
        path = self._root / "clean" / f"{split}.npy"
        if not path.exists():
            raise MissingDataError(
                f"data set '{self.name}': {path} is missing; put train.npy, valid.npy and "
                "test.npy there, which are in the folder split/mtat of "
                "https://github.com/minzwon/sota-music-tagging-models, or leave split=clean out"
            )
        try:
            with path.open("rb") as file:
                lines = read_array(file, allow_pickle=False).tolist()
            paths = [str(line).split("\t")[1] for line in lines]
        except (OSError, ValueError, IndexError, TypeError) as error:
            raise ConfigError(
                f"{path}: does not contain lines of number, tab and path ({error}); replace it by "
                "the original"
            ) from error
        unknown = next((entry for entry in paths if entry not in clips), None)
        if unknown is not None:
            raise ConfigError(
                f"{path}: '{unknown}' is not among the clips of annotations_final.csv that have "
                "audio; replace both files by the originals"
            )
        return paths
