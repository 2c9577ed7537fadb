"""How the adapter for mirdata says what is wrong."""

from __future__ import annotations

import importlib
import json
import logging
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import helpers.mirdata_miniatures_harmony  # noqa: F401  (brings its miniatures)
import pytest
from helpers.mirdata_miniatures import miniature

from mirprobe.api.registry import DATASETS
from mirprobe.core.errors import ConfigError
from mirprobe_tasks.datasets.mirdata import mirdata_api
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset


@pytest.fixture(autouse=True)
def _heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line, where a test before used it, keeps log lines to itself."""
    monkeypatch.setattr(logging.getLogger("mirprobe_tasks"), "propagate", True)


def build(name: str, root: Path, **options: Any) -> MirdataDataset:
    dataset = DATASETS.get(name)(root=root, **options)
    assert isinstance(dataset, MirdataDataset)
    return dataset


@pytest.fixture
def ballroom(tmp_path: Path) -> Path:
    return miniature("ballroom", tmp_path / "ballroom")


def test_a_missing_index_is_one_line_that_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        build("beatles", tmp_path / "beatles").splits()
    line = str(caught.value)
    assert f"no index {tmp_path / 'beatles' / 'beatles_index_1.2.json'}" in line
    assert "mirprobe data prepare beatles" in line
    assert "https://zenodo.org/records/14007830/files/beatles_index_1.2.json" in line
    with pytest.raises(ConfigError, match=r"does not offer it: take tests/indexes/hainsworth_full"):
        build("hainsworth", tmp_path / "hainsworth").splits()


def test_an_index_that_mirdata_downloaded_itself_is_used(
    ballroom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("mirdata.datasets.ballroom")
    own = tmp_path / "site-packages"
    own.mkdir()
    shutil.move(ballroom / "ballroom_full_index_1.0.json", own)
    monkeypatch.setattr(module.INDEXES["1.0"], "indexes_dir", str(own))
    assert len(build("ballroom", ballroom).splits()["train"]) == 5
    assert module.INDEXES["1.0"].indexes_dir == str(own)  # mirdata's own is left as it was


def test_a_damaged_index_is_named(ballroom: Path) -> None:
    index = ballroom / "ballroom_full_index_1.0.json"
    for content in ('{"tracks": {', "{}"):
        index.write_text(content)
        with pytest.raises(ConfigError, match=r"index_1\.0\.json: is not an index of mirdata"):
            build("ballroom", ballroom).splits()
    index.write_text('{"tracks": {}}')
    with pytest.raises(ConfigError, match=r"cannot read any annotation \(the index has no track\)"):
        build("ballroom", ballroom).splits()


def test_an_index_of_another_loader_is_named(ballroom: Path) -> None:
    (ballroom / "ballroom_full_index_1.0.json").write_text(
        '{"tracks": {"1": {"audio": ["a", ""]}}}'
    )
    with pytest.raises(ConfigError, match=r"track '1': group cannot be read \(KeyError: 'beats'"):
        build("ballroom", ballroom).splits()


def test_versions_are_those_of_mirdata(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gtzan_genre: unknown version '7'; known: 1\.0, mini"):
        build("gtzan_genre", tmp_path, version=7).splits()
    root = miniature("beatles", tmp_path / "beatles")
    assert any(build("beatles", root, version=1.2).splits().values())


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("tinysol", {"fold": 5}, "tinysol: no fold 5; folds are 0 to 4, or null"),
        ("mtg_jamendo_autotagging_moodtheme", {"split": 9}, "no split 9; splits are 0 to 4"),
    ],
)
def test_folds_and_splits_that_do_not_exist(
    name: str, options: dict[str, int], line: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=line):
        build(name, tmp_path, **options)


def test_what_cannot_be_read_is_kept_for_the_report(
    ballroom: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beats = ballroom / "B_1.0" / "annotations" / "beats"
    (beats / "Media-105901.beats").write_text("0.5\tone\n")
    (beats / "Media-105902.beats").unlink()
    (beats / "Albums-Fire-08.beats").write_text("0.5\t1\n0.4\t2\n")
    dataset = build("ballroom", ballroom)
    with caplog.at_level(logging.WARNING):
        found = {track.id: track for track in dataset.splits()["train"]}
    assert set(dataset.faults) == {"Media-105901", "Media-105902", "Albums-Fire-08"}
    assert "beats cannot be read (ValueError: invalid literal" in dataset.faults["Media-105901"][0]
    assert dataset.faults["Media-105902"] == [
        f"beats cannot be read ({beats / 'Media-105902.beats'} is missing)"
    ]
    assert "strictly increasing" in dataset.faults["Albums-Fire-08"][0]
    assert found["Media-105901"].annotations.beats is None
    assert found["Media-105901"].annotations.tempo == 87.0
    (record,) = caplog.records
    assert "annotations of 3 tracks cannot be read, first 'Media-105901'" in record.getMessage()
    assert "mirprobe data check ballroom" in record.getMessage()


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        ("tinysol", "annotation/TinySOL_metadata.csv"),
        ("medley_solos_db", "annotation/Medley-solos-DB_metadata.csv"),
        ("openmic2018", "openmic-2018-metadata.csv"),
        ("mtg_jamendo_autotagging_moodtheme", "data/autotagging_moodtheme.tsv"),
        ("fma_keys", "fma_keys_metadata.csv"),
        ("rwc_popular", "metadata-master/rwc-p.csv"),
        ("salami", "salami-data-public-hierarchy-corrections/metadata/metadata.csv"),
    ],
)
def test_missing_metadata_are_one_line(name: str, metadata: str, tmp_path: Path) -> None:
    root = miniature(name, tmp_path / name)
    (root / metadata).unlink()
    with pytest.raises(ConfigError, match=f"cannot read .*mirprobe data prepare {name}"):
        build(name, root).splits()


def test_a_track_that_the_metadata_do_not_name_is_left_out(tmp_path: Path) -> None:
    root = miniature("rwc_popular", tmp_path / "rwc_popular")
    table = root / "metadata-master" / "rwc-p.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    dataset = build("rwc_popular", root)
    assert [track.id for part in dataset.splits().values() for track in part] == [
        "RM-P001",
        "RM-P002",
    ]
    assert dataset.faults == {
        "RM-P003": ["group cannot be read (ValueError: the metadata do not name it)"]
    }


@pytest.mark.parametrize(
    ("name", "table", "track"),
    [
        ("tinysol", "annotation/TinySOL_metadata.csv", "Cb-ord-A2-mf-2c-N"),
        ("medley_solos_db", "annotation/Medley-solos-DB_metadata.csv", "dddd"),
        ("openmic2018", "openmic-2018-metadata.csv", "000200_10"),
    ],
)
def test_a_track_without_split_is_named(name: str, table: str, track: str, tmp_path: Path) -> None:
    path = miniature(name, tmp_path / name) / table
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ConfigError, match=f"official split .*do not name track '{track}'"):
        build(name, tmp_path / name).splits()


def test_no_audio_at_all_is_one_line_and_a_single_missing_file_is_not(ballroom: Path) -> None:
    dataset = build("ballroom", ballroom)
    tracks = dataset.splits()["train"]
    tracks[0].audio.unlink()
    assert list(dataset.prepare(tracks)) == [track.id for track in tracks]
    shutil.rmtree(ballroom / "B_1.0" / "audio")
    with pytest.raises(ConfigError, match=r"'ballroom' has no audio in .*mirprobe data prepare"):
        list(dataset.prepare(tracks))


def test_without_mirdata_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "mirdata"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mirdata", None)
    with pytest.raises(ConfigError, match=r"needs mirdata, .* install mirprobe\[data\]"):
        build("queen", tmp_path).splits()


def test_mirdata_is_kept_quiet_but_for_its_errors(caplog: pytest.LogCaptureFixture) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    with caplog.at_level(logging.INFO), mirdata_api.quiet():
        warnings.warn("old", stacklevel=1)
        logging.warning("chatter")
        logging.basicConfig(level=logging.DEBUG)
    assert caplog.records == []
    with caplog.at_level(logging.INFO), mirdata_api.quiet():
        logging.error("broken\n  link")
    assert [record.getMessage() for record in caplog.records] == ["broken link"]
    assert (root.handlers, root.level) == before


def test_indexes_written_by_the_miniatures_are_what_mirdata_validates(tmp_path: Path) -> None:
    root = miniature("irmas", tmp_path / "irmas")
    source = mirdata_api.open_dataset("irmas", root, "default")
    missing, invalid = source.validate(verbose=False)
    assert missing == {"tracks": {}}
    assert invalid == {"tracks": {}}
    assert json.loads((root / "irmas_index_1.0.json").read_text())["version"] == "miniature"
