"""A cache at an address: `memory://` stands for an object store, `file://` for the others."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.hashing import digest
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.prune import DAY, list_entries, prune_candidates
from mirprobe.embedding.remote_store import RemoteStore, local_folder
from mirprobe.evaluation.config import RunConfig

ARRAY = np.arange(600, dtype=np.float16).reshape(100, 2, 3)
ABOUT = {"encoder": "mfcc", "track": "Für Elise", "duration": "1.0"}
KEY = "ab" + "0" * 30


@pytest.fixture(params=["memory", "file"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    url = f"memory:/{tmp_path}" if request.param == "memory" else f"file://{tmp_path}/there"
    yield url
    fsspec.filesystem("memory").store.clear()


def stored(address: str) -> dict[str, bytes]:
    files, root = fsspec.url_to_fs(address)
    return {name[len(root) :]: files.cat_file(name) for name in files.find(root)}


def test_an_entry_goes_there_and_back(address: str, tmp_path: Path) -> None:
    here, there = Cache(address, tmp_path / "one"), Cache(address, tmp_path / "two")
    assert not here.exists(KEY)
    assert here.get(KEY) is None
    here.put(KEY, ARRAY, ABOUT)
    found = there.get(KEY)
    assert found is not None
    assert found.metadata == ABOUT
    np.testing.assert_array_equal(found.read(10, 20), ARRAY[10:20])
    folder = Cache(tmp_path / "folder")
    folder.put(KEY, ARRAY, ABOUT)
    same = folder.path(KEY).read_bytes()
    assert stored(address) == {f"/entries/ab/{KEY}.safetensors": same}
    assert there.path(KEY).read_bytes() == same


def test_a_copy_needs_the_address_no_more(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cache(address, tmp_path / "one").put(KEY, ARRAY, ABOUT)
    assert Cache(address, tmp_path / "two").get(KEY) is not None
    monkeypatch.setattr(RemoteStore, "read", lambda self, name: pytest.fail("fetched again"))
    assert Cache(address, tmp_path / "two").get(KEY) is not None


def test_a_broken_entry_is_replaced(address: str, tmp_path: Path) -> None:
    Cache(address, tmp_path / "one").put(KEY, ARRAY, ABOUT)
    whole = stored(address)
    files, root = fsspec.url_to_fs(address)
    (name,) = files.find(root)
    files.pipe_file(name, whole[name[len(root) :]][:-5])
    there = Cache(address, tmp_path / "two")
    assert there.get(KEY) is None
    there.put(KEY, ARRAY, ABOUT)
    assert stored(address) == whole
    assert Cache(address, tmp_path / "three").get(KEY) is not None


def test_what_is_discarded_is_gone_there_too(address: str, tmp_path: Path) -> None:
    cache = Cache(address, tmp_path / "one")
    cache.put(KEY, ARRAY, ABOUT)
    cache.discard([KEY, "cd" + "0" * 30])
    assert stored(address) == {}
    assert not cache.path(KEY).exists()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server on this machine with the bucket `music`."""
    moto = pytest.importorskip("moto.server", reason="needs moto[server]")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "one")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "two")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        files = fsspec.filesystem("s3", skip_instance_cache=True)
        files.mkdir("music")
        yield "s3://music"
        assert [bucket.rstrip("/") for bucket in files.ls("")] == ["music"]
    server.stop()


def test_entries_in_a_bucket(s3: str, tmp_path: Path) -> None:
    here, there = Cache(f"{s3}/x", tmp_path / "one"), Cache(f"{s3}/x", tmp_path / "two")
    assert here.get(KEY) is None
    here.put(KEY, ARRAY, ABOUT)
    found = there.get(KEY)
    assert found is not None
    np.testing.assert_array_equal(found.read(), ARRAY)


def test_a_misspelt_bucket_is_refused_and_not_made(s3: str, tmp_path: Path) -> None:
    cache = Cache(s3.replace("music", "musik"), tmp_path)
    with pytest.raises(StorageError, match=r"s3://musik/entries/ab/.*cannot be written .*bucket"):
        cache.put(KEY, ARRAY, ABOUT)


def test_a_store_that_refuses(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(address, tmp_path / "one")
    files, _ = fsspec.url_to_fs(address)

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError("Access\nDenied")

    monkeypatch.setattr(files, "pipe_file", refuse)
    with pytest.raises(StorageError) as caught:
        cache.put(KEY, ARRAY, ABOUT)
    assert str(caught.value).startswith(
        f"{address}/entries/ab/{KEY}.safetensors: cannot be written"
    )
    assert "PermissionError: Access Denied); check address, credentials" in str(caught.value)
    assert not cache.path(KEY).exists()  # a copy would hide that the entry is missing
    assert stored(address) == {}


def test_a_file_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = RemoteStore(f"file://{tmp_path}/there")
    remote.write("a/b", b"old")

    def killed(*args: object, **options: object) -> None:
        raise OSError("killed")

    monkeypatch.setattr(type(remote._files), "mv", killed)
    with pytest.raises(StorageError):
        remote.write("a/b", b"new")
    assert remote.read("a/b") == b"old"


def test_what_lies_on_this_machine_in_any_case() -> None:
    assert local_folder(Path("x")) == Path("x")
    assert local_folder("s3://bucket/path") == Path("embeddings_cache")
    cache = Cache("memory://x")
    assert cache.hashes.path == Path("embeddings_cache/hashes.sqlite")
    assert cache.root.parent == Path("embeddings_cache/copies")
    assert cache.root != Cache("memory://y").root
    assert cache.root == Cache("memory://x/").root


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nosuch://x", "cache 'nosuch://x': Protocol not known: nosuch; or name a folder"),
        ("ftp://me:secret@host/x", "holds a password"),
    ],
)
def test_addresses_that_are_refused(address: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Cache(address)
    assert "secret" not in str(caught.value)


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigError, match=r"pip install 'mirprobe\[remote\]'"):
        Cache("s3://bucket")


def test_entries_are_listed_and_deleted_at_the_address(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "local"
    cache = Cache(address, folder)
    for number, encoder in enumerate(("mfcc", "mfcc", "chroma")):
        cache.put(f"{number}" * 32, ARRAY, {**ABOUT, "encoder": encoder, "view": "clip"})
    other = Cache(address, tmp_path / "other")
    found = {item.path.stem: item for item in list_entries(other)}
    assert [found[f"{n}" * 32].encoder for n in range(3)] == ["mfcc", "mfcc", "chroma"]
    assert all(item.size == cache.path(key).stat().st_size for key, item in found.items())
    assert max(abs(item.written - time.time()) for item in found.values()) < 600
    assert prune_candidates(cache, now=time.time()) == {}
    assert len(prune_candidates(cache, now=time.time() + DAY, older_than_days=0.5)) == 3

    def command(*options: str) -> str:
        places = ["--cache-dir", address, "--local-dir", str(folder)]
        done = CliRunner().invoke(app, ["cache", *options, *places])
        assert (done.exit_code, done.stderr) == (0, "")
        return done.stdout.splitlines()[-1]

    assert command("info") == "3 entries, 0 leftovers"
    assert command("prune", "--encoder", "mfcc", "--dry-run").startswith("2 files would be deleted")
    assert len(stored(address)) == 3
    assert command("prune", "--encoder", "mfcc").startswith("2 files deleted")
    assert [*stored(address)] == [f"/entries/22/{'2' * 32}.safetensors"]
    assert [path.stem for path in cache.entries()] == ["2" * 32]
    assert command("verify") == "1 entries, 0 broken"


@pytest.mark.parametrize("command", ["info", "verify", "prune"])
def test_an_address_without_entries_is_refused(command: str, address: str, tmp_path: Path) -> None:
    cell = tmp_path / "local" / "cells" / "of" / "a-run.json.gz"
    cell.parent.mkdir(parents=True)
    cell.touch()
    places = ["--cache-dir", address, "--local-dir", str(tmp_path / "local")]
    done = CliRunner().invoke(app, ["cache", command, *places])
    assert done.exit_code == 2
    assert done.stderr == f"error: {address}: no embeddings at this address; check --cache-dir\n"
    assert cell.exists()


def test_pruning_at_an_address_keeps_the_cells_of_the_local_folder(
    address: str, tmp_path: Path
) -> None:
    folder = tmp_path / "local"
    metadata = {**ABOUT, "encoder": "mfcc", "fingerprint": "f1", "view": "clip"}
    for cache in (Cache(address, folder), Cache(folder)):
        cache.put(KEY, ARRAY, metadata)
    cell = folder / "cells" / digest("f1") / "a-run.json.gz"
    cell.parent.mkdir(parents=True)
    cell.write_bytes(gzip.compress(b'{"encoder": "mfcc"}'))
    local = Cache(folder).path(KEY)

    def pruned(*places: str) -> str:
        words = ["--encoder", "mfcc", "--older-than", "-1", *places]
        done = CliRunner().invoke(app, ["cache", "prune", *words])
        assert (done.exit_code, done.stderr) == (0, "")
        return done.stdout

    assert pruned("--cache-dir", address, "--local-dir", str(folder)).startswith("1 files deleted")
    assert cell.exists()
    assert local.exists()
    assert pruned("--cache-dir", str(folder)).startswith("2 files deleted")
    assert not cell.exists()
    assert not local.exists()


def test_broken_and_half_written_files_at_an_address(tmp_path: Path) -> None:
    cache = Cache(f"file://{tmp_path}/there", tmp_path / "local")
    broken = tmp_path / "there" / "entries" / "ab" / f"{KEY}.safetensors"
    half = broken.with_name(".123.tmp")
    broken.parent.mkdir(parents=True)
    for content in (b"", b"text", b"\xff" * 100):
        broken.write_bytes(content)
        [item] = list_entries(cache)
        assert (item.encoder, item.size) == ("", len(content))
    half.write_bytes(b"half")
    assert prune_candidates(cache, now=time.time()) == {}
    [(path, size)] = prune_candidates(cache, now=time.time() + DAY).items()
    assert size == 4
    cache.remove(path)
    assert [*broken.parent.iterdir()] == [broken]


def test_a_local_folder_of_choice(tmp_path: Path) -> None:
    own = RunConfig(cache_dir="memory://x", local_dir=tmp_path)
    assert own.local_folder == tmp_path
    assert RunConfig(cache_dir="memory://x").local_folder == Path("embeddings_cache")
    assert RunConfig(cache_dir=tmp_path).local_folder == tmp_path
    with pytest.raises(ConfigError, match="local_dir is for a cache at an address"):
        RunConfig(cache_dir=tmp_path, local_dir=tmp_path)
