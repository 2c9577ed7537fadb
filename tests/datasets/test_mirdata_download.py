"""What `mirprobe data prepare` fetches with mirdata, from files here in the place of its URLs."""

from __future__ import annotations

import hashlib
import importlib
import io
import shutil
import tarfile
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest
from helpers.mirdata_miniatures import miniature
from typer.testing import CliRunner

from mirprobe.api.registry import DATASETS
from mirprobe.cli.app import app
from mirprobe.core.errors import ConfigError
from mirprobe_tasks.datasets.mirdata import mirdata_api
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset


def mirdata_module(name: str) -> Any:
    with mirdata_api.quiet():  # what it imports in its turn may warn
        return importlib.import_module(f"mirdata.{name}")


def build(name: str, root: Path) -> MirdataDataset:
    dataset = DATASETS.get(name)(root=root)
    assert isinstance(dataset, MirdataDataset)
    return dataset


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the net; mirdata's tinysol points there."""
    offered = miniature("tinysol", tmp_path / "net")
    shutil.make_archive(str(offered / "TinySOL"), "gztar", offered / "audio")
    module = mirdata_module("datasets.tinysol")
    remotes = {}
    for key, path, folder in (
        ("audio", offered / "TinySOL.tar.gz", "audio"),
        ("annotations", offered / "annotation" / "TinySOL_metadata.csv", "annotation"),
    ):
        remotes[key] = remote(path, folder)
    monkeypatch.setattr(module, "REMOTES", remotes)
    index = module.INDEXES["6.0"]
    fresh = remote(offered / index.filename, "/nowhere")
    monkeypatch.setattr(index, "remote", fresh)
    monkeypatch.setattr(index, "indexes_dir", str(tmp_path / "nowhere"))
    return offered


def remote(path: Path, folder: str) -> Any:
    made = mirdata_module("download_utils").RemoteFileMetadata
    return made(path.name, path.as_uri(), hashlib.md5(path.read_bytes()).hexdigest(), folder)


def test_index_annotations_and_audio_come_into_the_folder(offer: Path, tmp_path: Path) -> None:
    root = tmp_path / "home" / "tinysol"
    dataset = build("tinysol", root)
    with pytest.raises(ConfigError, match="no index"):
        dataset.splits()
    dataset.download()
    assert (root / "tinysol_index_6.0.json").is_file()
    found = [track for part in dataset.splits().values() for track in part]
    assert all(track.audio.is_file() for track in found)
    (offer / "TinySOL.tar.gz").unlink()
    dataset.download()  # what is whole is not fetched again


def test_a_download_that_was_cut_short_is_named(offer: Path, tmp_path: Path) -> None:
    root = tmp_path / "home" / "tinysol"
    (root / "audio").mkdir(parents=True)
    (root / "audio" / "TinySOL.tar.gz").write_bytes(b"half")
    with pytest.raises(
        ConfigError, match=r"TinySOL\.tar\.gz has an MD5 .*delete a corrupted file first"
    ):
        build("tinysol", root).download()


def test_a_net_that_does_not_answer_is_one_line(offer: Path, tmp_path: Path) -> None:
    (offer / "annotation" / "TinySOL_metadata.csv").unlink()
    with pytest.raises(ConfigError, match=r"cannot be downloaded .*or by hand: download"):
        build("tinysol", tmp_path / "home").download()


def test_what_is_not_offered_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'hainsworth' cannot be downloaded: .*H_1\.0/audio"):
        build("hainsworth", tmp_path).download()


def test_a_download_that_was_killed_goes_on(
    offer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "home" / "tinysol"
    retrieve = urllib.request.urlretrieve

    def killed(url: str, filename: str, **rest: Any) -> Any:
        if "TinySOL.tar.gz" not in url:
            return retrieve(url, filename=filename, **rest)
        Path(filename).write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(urllib.request, "urlretrieve", killed)
        with pytest.raises(KeyboardInterrupt):
            build("tinysol", root).download()
    assert not (root / "audio" / "TinySOL.tar.gz").exists()
    dataset = build("tinysol", root)
    dataset.download()
    assert all(track.audio.is_file() for part in dataset.splits().values() for track in part)
    assert not list(root.rglob("*.part"))


def outward_zip(path: Path, name: str) -> Path:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.writestr("Winds/first.wav", b"first")
        archive.writestr(name, b"evil")
    return path.with_suffix(".zip")


def outward_tar(path: Path, name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Path:
    with tarfile.open(path.with_suffix(".tar.gz"), "w:gz") as archive:
        for each in ("Winds/first.wav", name):
            member = tarfile.TarInfo(each)
            member.size = 4
            if each == name:
                member.type, member.linkname = kind, link
            archive.addfile(member, io.BytesIO(b"evil"))
    return path.with_suffix(".tar.gz")


OUTWARD = {
    "a parent": "../../evil.wav",
    "a parent further down": "Winds/../../../evil.wav",
    "a parent at the end": "Winds/..",
    "an absolute path": "/tmp/mirprobe-evil.wav",
    "backslashes": "..\\..\\evil.wav",
    "a drive": "C:\\evil.wav",
    "a name that changes when it is decoded": "Ä.~\n./evil.wav",
}


@pytest.mark.parametrize("name", OUTWARD.values(), ids=OUTWARD)
@pytest.mark.parametrize("make", [outward_zip, outward_tar])
def test_no_archive_writes_outside_of_its_folder(
    make: Any, name: str, offer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(make(offer / "evil", name), tmp_path, monkeypatch, "outside of its folder")


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "../../../outside"),
        (tarfile.SYMTYPE, "/etc"),
        (tarfile.LNKTYPE, "../../outside"),
        (tarfile.LNKTYPE, "Winds/first.wav"),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_no_archive_brings_links(
    kind: bytes, link: str, offer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = outward_tar(offer / "evil", "Winds/link", kind, link)
    refused(archive, tmp_path, monkeypatch, "'Winds/link', a link or device")


def refused(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """`prepare` refuses it in one line, before anything of it is written."""
    module = mirdata_module("datasets.tinysol")
    monkeypatch.setitem(module.REMOTES, "audio", remote(archive, "audio"))
    home = tmp_path / "home"
    call = ["data", "prepare", "tinysol", "--data-home", str(home)]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 2
    line = result.stderr.splitlines()[-1]  # after the bars
    assert line.startswith("error: ")
    assert why in line
    assert archive.name in line
    assert "or by hand: " in line
    audio = home / "tinysol" / "audio"
    assert [path.name for path in audio.iterdir()] == [archive.name]  # nothing beside it
    assert not list(tmp_path.rglob("evil.wav"))
    assert not Path("/tmp/mirprobe-evil.wav").exists()


def test_a_link_in_a_zip_becomes_a_plain_file(
    offer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = zipfile.ZipInfo("Winds/link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    path = offer / "links.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("Winds/a...b..wav", b"dots that lead nowhere")
    module = mirdata_module("datasets.tinysol")
    monkeypatch.setitem(module.REMOTES, "audio", remote(path, "audio"))
    build("tinysol", tmp_path / "home").download()
    written = tmp_path / "home" / "audio" / "Winds" / "link"
    assert not written.is_symlink()
    assert written.read_text() == "/etc/passwd"


def test_mirdata_has_its_own_functions_again(offer: Path, tmp_path: Path) -> None:
    module = mirdata_module("download_utils")
    before = dict(vars(module))
    build("tinysol", tmp_path / "home").download()
    assert dict(vars(module)) == before
