from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.sweeps import HOP, add, build, logmel, sweep

from mirprobe.core.errors import ConfigError, MirprobeError, StorageError
from mirprobe.pretraining.bank import Bank, HeldOut
from mirprobe.pretraining.bank_shards import shard_path
from mirprobe.pretraining.merge_shards import known_keys, merge_shards
from mirprobe.vit1d.frontend import LogMelConfig

CONFIG = LogMelConfig()
OTHER = LogMelConfig(n_fft=1024)


def one_line(error: pytest.ExceptionInfo[MirprobeError]) -> str:
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


# packing and splits -------------------------------------------------------------------------------


def test_a_bank_grows_and_what_was_there_stays(tmp_path: Path) -> None:
    small = build(tmp_path, 3, first=5)
    rows, tracks = np.array(small.frames), small.tracks
    grown = build(tmp_path, 5)
    assert [track.id for track in grown.tracks] == [
        f"t{number:03}" for number in (5, 6, 7, 0, 1, 2, 3, 4)
    ]
    assert grown.tracks[:3] == tracks
    np.testing.assert_array_equal(grown.frames[: len(rows)], rows)
    for track in grown.tracks:
        own = grown.frames[track.start : track.start + track.frames]
        truth = logmel(sweep(8.5, seed=int(track.id[1:])))
        quantiser = grown.quantiser
        assert np.abs(quantiser.dequantise(own) - truth).max() <= quantiser.scale / 2 + 1e-5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bank.json", "frames.npy"]
    assert merge_shards(tmp_path).tracks == grown.tracks


def test_repeated_music_and_repeated_names_are_left_out(tmp_path: Path) -> None:
    build(tmp_path, 2)
    add(tmp_path, "copy", sweep(8.5, seed=1))
    add(tmp_path, "other", sweep(8.5, seed=9), id="t000")
    bank = merge_shards(tmp_path)
    assert [track.id for track in bank.tracks] == ["t000", "t001"]
    assert [(entry.source, entry.kind) for entry in bank.skipped] == [
        ("copy.wav", "duplicate"),
        ("other.wav", "duplicate"),
    ]


def test_a_split_holds_out_its_share_and_never_moves_a_work() -> None:
    rule = HeldOut(fraction=0.05, minimum=8)
    works = [f"work {number}" for number in range(4000)]
    splits = rule.assign(works, {})
    assert sum(split == "held-out" for split in splits.values()) == pytest.approx(200, abs=50)
    assert rule.assign(reversed(works), {}) == splits
    assert HeldOut(seed=1).assign(works, {}) != splits
    known = rule.assign(works[:20], {})
    assert sum(split == "held-out" for split in known.values()) == 8  # the minimum
    for count in (21, 100, 4000):
        known, before = rule.assign(works[:count], known), known
        assert before.items() <= known.items()
    held = [work for work in works if known[work] == "held-out"]
    assert {work for work in works if splits[work] == "held-out"} <= {*held, *works[:20]}


@pytest.mark.parametrize(("works", "held"), [(0, 0), (1, 0), (2, 1), (5, 2)])
def test_at_most_half_of_few_works_are_held_out(works: int, held: int) -> None:
    names = [str(number) for number in range(works)]
    for fraction in (0.01, 0.5):
        splits = HeldOut(fraction=fraction).assign(names, {})
        assert sum(split == "held-out" for split in splits.values()) == held
    assert "held-out" not in HeldOut(fraction=0.0).assign(names, {}).values()


def test_renderings_of_one_work_share_a_split(tmp_path: Path) -> None:
    for number in range(6):
        add(tmp_path, f"t{number}", sweep(8.5, seed=number), work=f"tune {number % 2}")
    bank = merge_shards(tmp_path)
    assert {track.work for track in bank.split("held-out")} in ({"tune 0"}, {"tune 1"})
    assert len(bank.split("held-out")) == len(bank.split("train")) == 3
    again = merge_shards(tmp_path, held_out=HeldOut(fraction=0.0))
    assert not again.split("held-out")
    assert again.held_out.fraction == 0.0
    with pytest.raises(ConfigError):
        HeldOut(fraction=0.9)


# what goes wrong ----------------------------------------------------------------------------------


def full_disk(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_costs_the_track_in_work_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tmp_path, "first", sweep())
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(StorageError) as error:
            add(tmp_path, "second", sweep(seed=1))
        assert "No space left" in one_line(error)
        with pytest.raises(StorageError, match="No space left"):
            merge_shards(tmp_path)
    assert len(list((tmp_path / "parts").iterdir())) == 1
    assert [track.id for track in merge_shards(tmp_path).tracks] == ["first"]


def test_a_bank_is_valid_between_its_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build(tmp_path, 2)
    add(tmp_path, "t002", sweep(8.5, seed=2))
    rename = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target.name == "bank.json":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            merge_shards(tmp_path)
    between = Bank.open(tmp_path)
    assert between.tracks == before.tracks
    assert len(between.frames) == sum(track.frames for track in before.tracks)
    assert [track.id for track in merge_shards(tmp_path).tracks] == ["t000", "t001", "t002"]


@pytest.mark.parametrize("place", ["head", "frames"])
def test_a_damaged_part_is_made_again(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    add(tmp_path, "good", sweep())
    add(tmp_path, "bad", sweep(seed=1))
    path = shard_path(tmp_path, "key of bad", CONFIG, "uint8")
    content = bytearray(path.read_bytes())
    content[20 if place == "head" else -1] ^= 0xFF
    path.write_bytes(content)
    assert [track.id for track in merge_shards(tmp_path).tracks] == ["good"]
    assert "damaged" in caplog.text
    add(tmp_path, "bad", sweep(seed=1))
    assert len(merge_shards(tmp_path).tracks) == 2


def test_front_ends_and_types_do_not_mix(tmp_path: Path) -> None:
    build(tmp_path, 1)
    with pytest.raises(ConfigError, match="another front end") as error:
        Bank.open(tmp_path, OTHER)
    assert "n_fft" in one_line(error)
    assert Bank.open(tmp_path, CONFIG).config == CONFIG
    with pytest.raises(ConfigError, match="another front end"):
        known_keys(tmp_path, OTHER)
    with pytest.raises(ConfigError, match="another type"):
        known_keys(tmp_path, CONFIG, "float16")
    add(tmp_path, "other", sweep(), config=OTHER)
    with pytest.raises(ConfigError, match="another front end"):
        merge_shards(tmp_path)
    assert len(Bank.open(tmp_path).tracks) == 1


def test_a_bank_that_is_missing_or_unfinished(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no bank is here") as error:
        Bank.open(tmp_path)
    assert "mirprobe pretrain bank" in one_line(error)
    add(tmp_path, "one", sweep())
    with pytest.raises(StorageError, match="not finished"):
        Bank.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("frames.npy", None, "cannot be read"),
        ("frames.npy", 1000, "truncated"),
        ("frames.npy", 40, "damaged"),
        ("frames.npy", 0, "damaged"),
        ("frames.npy", (b"(", b"["), "damaged"),
        ("frames.npy", (b")", b"("), "damaged"),
        ("bank.json", 100, "not JSON"),
        ("bank.json", b"[]", "damaged"),
        ("bank.json", b"{}", "damaged"),
        ("bank.json", b'{"version": 99}', "version 99"),
        ("bank.json", (b'"dtype": "uint8"', b'"dtype": "int7"'), "damaged"),
        ("bank.json", (b'"start": 0', b'"start": 7'), "damaged"),
        ("bank.json", (b'"group": "tests"', b'"group": "guest"'), "its checksum is wrong"),
        ("bank.json", (b'"seed": 0', b'"seed": 1'), "its checksum is wrong"),
        ("bank.json", (b'"checksum"', b'"chocksum"'), "its checksum is wrong"),
        ("bank.json", (b'"offset": ', b'"offset": NaN, "old": '), "damaged"),
    ],
)
def test_a_damaged_bank_says_so(
    tmp_path: Path, name: str, content: int | bytes | tuple[bytes, bytes] | None, complaint: str
) -> None:
    build(tmp_path, 1)
    file = tmp_path / name
    if content is None:
        file.unlink()
    elif isinstance(content, tuple):
        assert content[0] in file.read_bytes()
        file.write_bytes(file.read_bytes().replace(*content))
    else:
        file.write_bytes(file.read_bytes()[:content] if isinstance(content, int) else content)
    with pytest.raises(StorageError, match=complaint) as error:
        Bank.open(tmp_path)
    assert str(tmp_path) in one_line(error)


def test_a_flipped_bit_in_the_frames_is_noticed_when_they_are_loaded(tmp_path: Path) -> None:
    frames = build(tmp_path, 2).load()
    file = tmp_path / "frames.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(StorageError, match=r"frames.npy: track 't001' is damaged") as error:
        Bank.open(tmp_path).load()
    assert str(tmp_path) in one_line(error)
    content[-1] ^= 1
    file.write_bytes(content)
    assert torch.equal(Bank.open(tmp_path).load(), frames)


def test_a_bank_without_a_checksum_is_read(tmp_path: Path) -> None:
    """As earlier versions wrote it."""
    bank = build(tmp_path, 2)
    head = json.loads((tmp_path / "bank.json").read_text())
    del head["checksum"]
    (tmp_path / "bank.json").write_text(json.dumps(head))
    assert Bank.open(tmp_path).tracks == bank.tracks


def test_frames_of_another_shape_are_refused(tmp_path: Path) -> None:
    build(tmp_path, 1)
    np.save(tmp_path / "frames.npy", np.zeros((10, 128), np.uint8))
    with pytest.raises(StorageError, match="says"):
        Bank.open(tmp_path)


def test_bank_json_is_plain(tmp_path: Path) -> None:
    bank = build(tmp_path, 2)
    head = json.loads((tmp_path / "bank.json").read_text())
    assert head["dtype"] == "uint8"
    assert head["tracks"][1]["start"] == head["tracks"][0]["frames"]
    assert head["config"]["hop"] == HOP
    assert bank.hours == pytest.approx(2 * 8.5 / 3600, rel=1e-2)
    assert bank.frames.nbytes / bank.hours / 1e6 == pytest.approx(14.4)  # MB an hour
    assert isinstance(bank.frames, np.memmap)
