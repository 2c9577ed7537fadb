from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.sweeps import RATE, sweep
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.pretraining import audio_files
from mirprobe.pretraining import build_bank as module
from mirprobe.pretraining.audio_files import AudioFile, decode, find_audio
from mirprobe.pretraining.bank import Bank
from mirprobe.pretraining.build_bank import build_bank

SECONDS = 9.0

# name, sample rate, channels, what soundfile is told
CONTAINERS = [
    ("a.wav", 44_100, 2, {"subtype": "PCM_16"}),
    ("b.wav", 8_000, 1, {"subtype": "FLOAT"}),
    ("c.WAV", 96_000, 6, {"subtype": "PCM_24", "format": "WAV"}),
    ("d.flac", 48_000, 2, {}),
    ("e.ogg", 44_100, 2, {"subtype": "VORBIS"}),
    ("f.oga", 22_050, 1, {"format": "OGG", "subtype": "VORBIS"}),
    ("g.opus", 48_000, 2, {"format": "OGG", "subtype": "OPUS"}),
    ("h.mp3", 44_100, 2, {}),
    ("i.mp3", 16_000, 1, {}),
]


def write(path: Path, *, seed: int = 0, seconds: float = SECONDS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sweep(seconds, seed=seed), RATE)
    return path


def encoded(*, seed: int = 0) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, sweep(SECONDS, seed=seed), RATE, format="OGG", subtype="VORBIS")
    return content.getvalue()


def sources(bank: Bank) -> list[str]:
    return [track.source for track in bank.tracks]


@pytest.mark.parametrize(("name", "rate", "channels", "options"), CONTAINERS)
def test_every_container_is_decoded(
    tmp_path: Path, name: str, rate: int, channels: int, options: dict[str, str]
) -> None:
    music = tmp_path / "music"
    music.mkdir()
    time = np.arange(int(rate * SECONDS)) / rate
    tone = 0.3 * np.sin(2 * np.pi * 1000 * time)
    soundfile.write(music / name, np.stack([tone] * channels, axis=1), rate, **options)
    bank = build_bank([music], tmp_path / "bank", jobs=1)
    (track,) = bank.tracks
    assert (track.source, track.group) == (f"music/{name}", "music")
    assert track.duration == pytest.approx(SECONDS, abs=0.15)  # MP3 pads
    low, centre, high = (2595 * np.log10(1 + edge / 700) for edge in (30.0, 1000.0, 8000.0))
    nearest = round(129 * (centre - low) / (high - low)) - 1
    frames = bank.quantiser.dequantise(bank.frames[10:260])
    assert (np.abs(frames.argmax(axis=1) - nearest) <= 1).all()
    expected = (np.log(0.3**2 * 2048**2 / 16) - 1.4) / 3.7
    assert frames.max(axis=1).mean() == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_blocks_decode_to_the_whole(
    tmp_path: Path, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, sweep(3.0, rate=rate), rate)
    audio_file = AudioFile(path, "", "a.flac", "")
    whole = np.concatenate(list(decode(audio_file, RATE)))
    monkeypatch.setattr(audio_files, "_VALUES", 10_000)
    blocks = list(decode(audio_file, RATE))
    assert len(blocks) > 4
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5)
    assert len(whole) == 3 * RATE


def test_packs_are_read_where_they_lie(tmp_path: Path) -> None:
    folder = tmp_path / "outer" / "games"
    write(folder / "plain" / "x.wav", seed=9)
    with zipfile.ZipFile(folder / "data.PK3", "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("../../escaped.ogg", encoded(seed=1))
        pack.writestr("/music/one.ogg", encoded(seed=2))
        pack.writestr("top.ogg", encoded(seed=3))
        pack.writestr("music/broken.ogg", b"not audio")
        pack.writestr("readme.txt", b"read me")
    before = set(tmp_path.rglob("*"))
    bank = build_bank([folder], tmp_path / "bank", jobs=1)
    created = {path.relative_to(tmp_path).as_posix() for path in set(tmp_path.rglob("*")) - before}
    assert created == {"bank", "bank/bank.json", "bank/frames.npy"}
    assert {track.source: track.group for track in bank.tracks} == {
        "games/data.PK3!../../escaped.ogg": "games/data.PK3!../..",
        "games/data.PK3!/music/one.ogg": "games/data.PK3!/music",
        "games/data.PK3!top.ogg": "games/data.PK3!",
        "games/plain/x.wav": "games/plain",
    }
    (entry,) = bank.skipped
    assert (entry.source, entry.kind) == ("games/data.PK3!music/broken.ogg", "undecodable")


def test_damaged_packs_cost_no_other_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    music = tmp_path / "music"
    write(music / "good.wav")
    (music / "broken.pk3").write_bytes(b"PK\x03\x04 and no more")
    with zipfile.ZipFile(music / "crc.zip", "w") as pack:
        pack.writestr("a.ogg", encoded(seed=1))
    content = bytearray((music / "crc.zip").read_bytes())
    content[2000] ^= 0xFF
    (music / "crc.zip").write_bytes(content)
    with zipfile.ZipFile(music / "large.zip", "w") as pack:
        pack.writestr("b.ogg", bytes(200_000))
    monkeypatch.setattr(audio_files, "_LARGEST", 150_000)
    bank = build_bank([music], tmp_path / "bank", jobs=1)
    assert sources(bank) == ["music/good.wav"]
    reasons = {entry.source: entry.reason for entry in bank.skipped}
    assert reasons.keys() == {"music/broken.pk3", "music/crc.zip!a.ogg", "music/large.zip!b.ogg"}
    assert "not a readable archive" in reasons["music/broken.pk3"]
    assert "CRC" in reasons["music/crc.zip!a.ogg"]
    assert "extract it" in reasons["music/large.zip!b.ogg"]
    assert {entry.kind for entry in bank.skipped} == {"undecodable"}


def test_what_is_left_out_is_listed(tmp_path: Path) -> None:
    music = tmp_path / "music"
    original = write(music / "a.wav")
    shutil.copy(original, music / "copy.wav")
    samples, _ = soundfile.read(original, dtype="int16")
    soundfile.write(music / "same.flac", samples, RATE)  # other bytes, the same sound
    write(music / "short.wav", seconds=3.0)
    soundfile.write(music / "silent.wav", np.zeros(20 * RATE), RATE)
    (music / "noise.mp3").write_bytes(b"not audio" * 500)
    (music / "empty.ogg").write_bytes(b"")
    (music / "dangling.wav").symlink_to(music / "gone.wav")
    (music / "notes.txt").write_text("no audio")
    bank = build_bank([music], tmp_path / "bank", jobs=1)
    assert sources(bank) == ["music/a.wav"]
    assert {entry.source.split("/")[1]: entry.kind for entry in bank.skipped} == {
        "copy.wav": "duplicate",
        "same.flac": "duplicate",
        "short.wav": "too short",
        "silent.wav": "silent",
        "noise.mp3": "undecodable",
        "empty.ogg": "undecodable",
        "dangling.wav": "undecodable",
    }
    assert not any(str(tmp_path) in entry.reason for entry in bank.skipped)
    again = build_bank([music], tmp_path / "bank", jobs=1)
    assert (again.tracks, again.skipped) == (bank.tracks, bank.skipped)


def test_folders_without_audio_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ConfigError, match="not a folder"):
        build_bank([tmp_path / "missing"], tmp_path / "bank", jobs=1)
    with pytest.raises(ConfigError, match="no audio in it"):
        build_bank([empty], tmp_path / "bank", jobs=1)
    (empty / "data.pk3").write_bytes(b"not a pack")
    with pytest.raises(ConfigError, match=r"data\.pk3: not a readable archive"):
        build_bank([empty], tmp_path / "bank", jobs=1)
    write(empty / "short.wav", seconds=1.0)
    with pytest.raises(ConfigError, match="no track for a bank"):
        build_bank([empty], tmp_path / "bank", jobs=1)
    with pytest.raises(ConfigError, match="-1 jobs"):
        build_bank([empty], tmp_path / "bank", jobs=-1)


def test_folders_that_overlap_are_read_once(tmp_path: Path) -> None:
    write(tmp_path / "music" / "album" / "a.wav")
    found, _ = find_audio([tmp_path / "music", tmp_path / "music" / "album"])
    assert [one.source for one in found] == ["music/album/a.wav"]


def test_added_folders_decode_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        write(tmp_path / "first" / f"{number}.wav", seed=number)
        write(tmp_path / "second" / f"{number}.wav", seed=10 + number)
    shutil.copy(tmp_path / "first" / "0.wav", tmp_path / "second" / "again.wav")
    first = build_bank([tmp_path / "first"], tmp_path / "bank", jobs=1)
    decoded: list[str] = []

    def noted(audio_file: AudioFile, rate: int) -> object:
        decoded.append(audio_file.source)
        return decode(audio_file, rate)

    monkeypatch.setattr(module, "decode", noted)
    both = build_bank([tmp_path / "first", tmp_path / "second"], tmp_path / "bank", jobs=1)
    assert decoded == [f"second/{number}.wav" for number in range(3)]
    assert both.tracks[:3] == first.tracks
    assert len(both.tracks) == 6


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    music = tmp_path / "music"
    for number in range(5):
        write(music / f"{number}.wav", seed=number)
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from mirprobe.pretraining import build_bank\n"
        "whole, calls = os.fsync, []\n"
        "def fsync(file):\n"
        "    calls.append(file)\n"
        "    if len(calls) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    whole(file)\n"
        "os.fsync = fsync\n"
        "build_bank.build_bank([Path(sys.argv[1])], Path(sys.argv[2]), jobs=1)\n"
    )
    command = [sys.executable, "-c", program, str(music), str(tmp_path / "bank")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    parts = list((tmp_path / "bank" / "parts").glob("*.safetensors"))
    assert len(parts) == 2
    times = [part.stat().st_mtime_ns for part in parts]
    with pytest.raises(StorageError, match="not finished"):
        Bank.open(tmp_path / "bank")
    assert [part.stat().st_mtime_ns for part in parts] == times
    resumed = build_bank([music], tmp_path / "bank", jobs=2)
    fresh = build_bank([music], tmp_path / "fresh", jobs=1)
    assert resumed.tracks == fresh.tracks
    np.testing.assert_array_equal(resumed.frames, fresh.frames)
    assert sorted(file.name for file in resumed.path.iterdir()) == ["bank.json", "frames.npy"]


def test_a_full_disk_ends_the_run_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        write(tmp_path / "music" / f"{number}.wav", seed=number)
    calls: list[int] = []

    def full(file: int) -> None:
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            build_bank([tmp_path / "music"], tmp_path / "bank", jobs=1)
    assert len(list((tmp_path / "bank" / "parts").iterdir())) == 1
    assert len(build_bank([tmp_path / "music"], tmp_path / "bank", jobs=1).tracks) == 3


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / "music" / f"{number}.wav", seed=number)
    (tmp_path / "music" / "noise.ogg").write_bytes(b"noise")
    command = ["pretrain", "bank", str(tmp_path / "music"), "-o", str(tmp_path / "bank")]
    result = CliRunner().invoke(app, [*command, "--jobs", "1", "--held-out", "0.25"])
    assert result.exit_code == 0, result.output
    assert "left out: music/noise.ogg: cannot be decoded" in result.output
    assert "4 tracks (2 held out)" in result.output
    assert "quantisation error 0.00" in result.output
    failed = CliRunner().invoke(app, [*command, "--dtype", "float16"])
    assert failed.exit_code == 2
    assert failed.output.startswith("error: ")
    assert "another type" in failed.output
    assert failed.output.count("\n") == 1
