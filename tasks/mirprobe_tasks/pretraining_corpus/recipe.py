"""The steps that build a bank, in order.

A work folder has the results of the steps:

- `packages/NAME/`: the recordings of Debian, unpacked;
- `font-packages/NAME/` and `fonts/NAME.sf2`: the sound fonts as downloaded and as used;
- `tunes.npz`: the notes of the corpus.

Every step keeps existing results, so an interrupted recipe continues. A machine without network
needs `fonts/` and `tunes.npz` for the renderings, and `packages/` for the recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mirprobe.core.errors import ConfigError
from mirprobe.pretraining.bank import Bank
from mirprobe.pretraining.build_bank import build_bank
from mirprobe.pretraining.merge_shards import merge_shards
from mirprobe_tasks.music.sound_fonts import collect_fonts
from mirprobe_tasks.pretraining_corpus.debian import SOUND_FONTS, Fetched, fetch
from mirprobe_tasks.pretraining_corpus.exclusions import exclusion_reason
from mirprobe_tasks.pretraining_corpus.render import Rendered, RenderPlan, render


class WorkDir:
    """Paths in the work folder.

    Attributes:
        packages: of the recordings.
        font_packages: of the sound fonts.
        fonts: the sound fonts as .sf2.
        tunes: the file of tunes.
    """

    def __init__(self, root: Path) -> None:
        self.packages = root / "packages"
        self.font_packages = root / "font-packages"
        self.fonts = root / "fonts"
        self.tunes = root / "tunes.npz"


def fetch_fonts(
    work_dir: WorkDir, packages: Sequence[str] = SOUND_FONTS, *, with_studio: bool = True
) -> tuple[Fetched, list[Path]]:
    """Download the sound fonts and convert them to .sf2.

    Args:
        work_dir: the work folder.
        packages: names.
        with_studio: whether to add the sound font of `studio`.

    Returns:
        The downloaded packages, and all sound fonts.
    """
    fetched = fetch(packages, work_dir.font_packages)
    return fetched, collect_fonts([work_dir.font_packages], work_dir.fonts, with_studio=with_studio)


def bank_recordings(work_dir: WorkDir, bank: Path, *, jobs: int = 0) -> Bank:
    """Decode the downloaded recordings into the bank.

    Raises:
        ConfigError: there are no recordings, or as for `build_bank`.
    """
    folders = sorted(path for path in work_dir.packages.glob("[!.]*") if path.is_dir())
    if not folders:
        raise ConfigError(f"{work_dir.packages}: no package in it; fetch the recordings first")
    for folder in folders:
        if reason := exclusion_reason(folder.name, folder.name):
            raise ConfigError(f"{folder}: {reason}; delete it")
    return build_bank(folders, bank, jobs=jobs)


def bank_renderings(work_dir: WorkDir, bank: Path, plan: RenderPlan, *, jobs: int = 0) -> Rendered:
    """Render the tracks of a plan that the bank does not have, and add them to the bank."""
    done = render(bank, work_dir.tunes, work_dir.fonts, plan, jobs=jobs)
    merge_shards(bank)
    return done


def check(bank: Path) -> Bank:
    """Open a bank and check that it has no music of the benchmark's tests.

    Raises:
        ConfigError: it has a piece of `studio`, an annotated work or an excluded package.
        StorageError: it is missing or damaged.
    """
    opened = Bank.open(bank)
    wrong = [
        f"{track.source}: {reason}"
        for track in opened.tracks
        if (reason := exclusion_reason(track.id, track.source)) is not None
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ConfigError(
            f"{bank}: not for pretraining: {'; '.join(wrong[:3])}{more}; build it without them"
        )
    return opened
