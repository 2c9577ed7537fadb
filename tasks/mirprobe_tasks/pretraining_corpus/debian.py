"""Downloads Debian packages by name and unpacks them into a folder; nothing is installed.

The recordings are the music of free games in Debian's main archive. Every file may be used,
modified and distributed under the free licence (GPL, CC-BY, CC-BY-SA, public domain and others) in
`usr/share/doc/PACKAGE/copyright`, which is unpacked beside it. The sound fonts have free licences
too (MIT, GPL, LGPL, CC BY-SA).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe_tasks.pretraining_corpus.exclusions import PACKAGES as NEVER

RECORDINGS = (
    "warzone2100-music",
    "drascula-music",
    "singularity-music",
    "wizznic-data",
    "asc-music",
    "trackballs-data",
    "pushover-data",
    "nexuiz-music",
    "ufoai-music",
    "wesnoth-1.16-music",
    "hyperrogue-music",
    "colobot-common-sounds",
    "marsshooter-data",
    "hedgewars-data",
    "supertux-data",
    "starfighter-data",
)
"""Game music: 1.26 GB, 21.3 h, 372 tracks in Debian 12."""

SOUND_FONTS = (
    "csound-soundfont",
    "fluidr3mono-gm-soundfont",
    "musescore-general-soundfont-small",
    "opl3-soundfont",
)
"""General MIDI sound fonts besides the one of `studio`: 157 MB in Debian 12.

39 % of the samples of csound are also in TimGM6mb, the font of `studio`, and 69 % of those of
fluidr3mono in MuseScore's; both of the latter derive from fluid-soundfont-gm. opl3 is FM synthesis
and shares no samples.
"""


@dataclass(frozen=True)
class Fetched:
    """Folders of the packages, and names and reasons of those that cannot be downloaded."""

    folders: tuple[Path, ...]
    failed: tuple[tuple[str, str], ...]


def fetch(packages: Sequence[str], output: Path) -> Fetched:
    """Download packages with `apt-get download` and unpack each into `output/PACKAGE`.

    Existing folders are kept. A package that cannot be downloaded is reported at the end and does
    not affect the others.

    Raises:
        ConfigError: apt-get or dpkg is missing, or a package must never be used.
        StorageError: the folder cannot be written.
    """
    for package in packages:
        if package.startswith(NEVER):
            raise ConfigError(f"{package}: never used for pretraining; leave it out")
    wanted = [package for package in packages if not (output / package).is_dir()]
    missing = [tool for tool in ("apt-get", "dpkg") if wanted and shutil.which(tool) is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} not found: packages can only be downloaded on Debian and its "
            f"derivatives; unpack {', '.join(wanted)} there and copy the folders to {output}"
        )
    failed = []
    try:
        output.mkdir(parents=True, exist_ok=True)
        for package in tqdm(wanted, "fetching", unit="package", leave=False, disable=None):
            if (reason := _fetch(package, output)) is not None:
                failed.append((package, reason))
    except OSError as error:
        raise StorageError(
            f"{output}: cannot be written ({error.strerror or error}); free space there or name "
            "another folder; complete packages are kept"
        ) from error
    folders = tuple(output / package for package in packages if (output / package).is_dir())
    return Fetched(folders, tuple(failed))


def _fetch(package: str, output: Path) -> str | None:
    """Unpack a package under a temporary name, then rename it; returns an error or None."""
    with TemporaryDirectory(prefix=f".{package}.", dir=output) as name:
        scratch = Path(name)
        if (reason := _run(["apt-get", "download", package], scratch)) is not None:
            return reason
        archives = sorted(scratch.glob(f"{package}_*.deb"))
        if not archives:
            return "apt-get reported no error, but there is no .deb file"
        if (reason := _run(["dpkg", "-x", archives[0].name, "unpacked"], scratch)) is not None:
            return reason
        (scratch / "unpacked").rename(output / package)
    return None


def _run(command: Sequence[str], folder: Path) -> str | None:
    """Run a program in a folder; returns its last line of output if it fails."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode == 0:
        return None
    words = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
    return f"{' '.join(command[:2])} failed ({done.returncode}): {words[-1]}"
