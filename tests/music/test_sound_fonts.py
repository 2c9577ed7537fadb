"""Compressed sound fonts become plain ones, sample for sample and loop for loop."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import Floats
from mirprobe_tasks.music.sound_fonts import (
    STUDIO_FONT,
    collect_fonts,
    decompress,
    list_fonts,
    presets,
    studio_font,
    studio_share,
)

RATE = 22_050


def _chunk(name: bytes, body: bytes, *, padded: bool = True) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2 if padded else 0)


def _sound_font(packed: list[bytes], *, padded: bool) -> bytes:
    """A font of one preset whose samples are Ogg streams, each looping from 100 to 900."""
    headers, start = b"", 0
    row = struct.Struct("<20s5IBbHH")
    for number, body in enumerate(packed):
        end = start + len(body)
        name = b"s%d" % number
        headers += row.pack(name, start, end, 100, 900, RATE, 60, 0, 0, 0x11)
        start = end
    headers += row.pack(b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    preset = struct.pack("<20sHHH3I", b"Piano", 5, 0, 0, 0, 0, 0)
    preset += struct.pack("<20sHHH3I", b"EOP", 0, 0, 0, 0, 0, 0)
    samples = b"sdta" + _chunk(b"smpl", b"".join(packed), padded=padded)
    lists = _chunk(b"LIST", b"INFO" + _chunk(b"ifil", struct.pack("<HH", 3, 0)))
    lists += _chunk(b"LIST", samples, padded=padded)
    lists += _chunk(b"LIST", b"pdta" + _chunk(b"phdr", preset) + _chunk(b"shdr", headers))
    return _chunk(b"RIFF", b"sfbk" + lists)


def _tone(frequency: float) -> Floats:
    return np.asarray(0.5 * np.sin(2 * np.pi * frequency * np.arange(3000) / RATE))


def _ogg(samples: Floats) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="OGG", subtype="VORBIS")
    return file.getvalue()


@pytest.mark.parametrize("padded", [True, False])
def test_samples_are_decoded_and_loops_moved(padded: bool) -> None:
    streams = [_ogg(_tone(440.0)), _ogg(_tone(1000.0))]
    # the defect that MuseScore's files have shows where the samples' bytes are odd in number
    streams[1] += bytes((len(streams[0]) + len(streams[1]) + 1) % 2)
    font = decompress(_sound_font(streams, padded=padded))
    samples = np.frombuffer(font[font.index(b"smpl") + 8 :], np.int16, 2 * (3000 + 46)) / 2**15
    rows = list(struct.iter_unpack("<20s5IBbHH", font[font.index(b"shdr") + 8 :]))
    for number, frequency in enumerate((440.0, 1000.0)):
        _, start, end, loop_start, loop_end, rate, *_, kind = rows[number]
        assert (start, end) == (number * 3046, number * 3046 + 3000)
        assert (loop_start, loop_end, rate, kind) == (start + 100, start + 900, RATE, 1)
        spectrum = np.abs(np.fft.rfft(samples[start:end]))
        assert np.argmax(spectrum) * RATE / 3000 == pytest.approx(frequency, abs=8)
    assert not samples[3000:3046].any()


def test_fonts_are_gathered_once(tmp_path: Path) -> None:
    source, output = tmp_path / "packages/a/usr/share", tmp_path / "fonts"
    source.mkdir(parents=True)
    (source / "small.sf3").write_bytes(_sound_font([_ogg(_tone(440.0))], padded=True))
    (source / "also.sf2").symlink_to(source / "small.sf3")
    found = collect_fonts([tmp_path / "packages"], output)
    assert [path.name for path in found] == ["TimGM6mb.sf2", "small.sf2"]
    before = found[1].stat().st_mtime_ns
    collect_fonts([tmp_path / "packages"], output)
    assert found[1].stat().st_mtime_ns == before
    assert presets(found[1]) == {(0, 5)}
    assert studio_share(found[0]) == 1.0
    assert studio_share(found[1]) == 0.0


def test_the_font_of_studio_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "renamed.sf2").write_bytes(studio_font())
    with pytest.raises(ConfigError, match="no sound font"):
        collect_fonts([tmp_path], tmp_path / "fonts", with_studio=False)
    assert [path.stem for path in collect_fonts([], tmp_path / "fonts")] == [STUDIO_FONT]


@pytest.mark.parametrize("damage", [b"", b"RIFF", b"RIFFxxxxsfbkLIST"])
def test_a_damaged_font_is_refused(tmp_path: Path, damage: bytes) -> None:
    with pytest.raises(StorageError, match="not a sound font"):
        decompress(damage)
    (tmp_path / "bad.sf2").write_bytes(damage)
    with pytest.raises(StorageError, match="not a sound font"):
        presets(list_fonts(tmp_path)[0])


def test_a_sample_that_is_no_ogg_is_refused() -> None:
    with pytest.raises(StorageError, match="not a sound font"):
        decompress(_sound_font([b"no ogg at all"], padded=True))
