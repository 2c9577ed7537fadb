from __future__ import annotations

from math import ceil, floor

import numpy as np
import pytest
from helpers.encoders_for_tests import Oracle, centred
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mirprobe.core.errors import EncoderError
from mirprobe.core.schema import Floats
from mirprobe.encoders.windows import (
    check_frame_count,
    layout_windows,
    max_frames,
    samples_per_call,
    stitch,
)

RATES = [31.25, 43.06640625, 86.1328125, 49.9, 50.0, 75.0, 12.3, 100.0, 1.0, 0.7]
SAMPLE_RATES = [16_000, 22_050, 24_000, 44_100]
TINY = 1e-6


def heard(samples: int, encoder: Oracle, *, sparing: bool = False) -> Floats:
    """The frames that come back, (time,), from an oracle whose frames are their own centre's time.

    Args:
        samples: of the track.
        encoder: its window and rates.
        sparing: whether windows yield as few frames as the declared rate permits, rather than
            those of a centred encoder.
    """
    assert encoder.frame_rate is not None
    layout = layout_windows(samples, encoder)
    clock = np.arange(samples, dtype=np.float64) / encoder.sample_rate
    frames = []
    for start, around in zip(layout.starts, layout.cut(clock), strict=True):  # type: ignore[arg-type]
        assert len(around) == layout.size + 2 * layout.context
        window = around[layout.context : len(around) - layout.context]
        assert window[0] == pytest.approx(start / encoder.sample_rate)
        count = centred(len(window), encoder.sample_rate, encoder.frame_rate)
        if sparing:
            count = max(1, ceil(len(window) / encoder.sample_rate * encoder.frame_rate - 1 - TINY))
        check_frame_count(count, len(around), encoder)
        frames.append(window[0] + np.arange(count)[:, None, None] / encoder.frame_rate)
    return np.asarray(stitch(list(frames), layout, encoder)[:, 0, 0])


@st.composite
def encoders(draw: st.DrawFn) -> Oracle:
    rate = draw(st.one_of(st.sampled_from(RATES), st.floats(0.5, 120.0)))
    shortest = max(0.05, 1.01 / rate)
    window = draw(st.one_of(st.sampled_from([1.0, 4.0, 5.0]), st.floats(0.05, 12.0)))
    return Oracle(
        sample_rate=draw(st.sampled_from(SAMPLE_RATES)),
        window=draw(st.one_of(st.none(), st.just(max(window, shortest)))),
        frame_rate=rate,
        context=draw(st.sampled_from([0.0, 0.0, 0.064, 0.2])),
    )


@settings(deadline=None, max_examples=200)
@given(encoder=encoders(), seconds=st.floats(0.01, 30.0), extra=st.sampled_from([None, -1, 0, 1]))
@example(encoder=Oracle(16_000, 4.0, 31.25), seconds=1.0, extra=0)  # exactly one window
@example(encoder=Oracle(16_000, 4.0, 31.25), seconds=1.0, extra=1)  # one sample more
@example(encoder=Oracle(16_000, 5.0, 49.9), seconds=29.97, extra=None)
@example(encoder=Oracle(22_050, 5.0, 43.06640625), seconds=0.1, extra=None)
@example(encoder=Oracle(24_000, 5.0, 75.0), seconds=30.0, extra=None)
def test_stitched_frames_tile_the_track(encoder: Oracle, seconds: float, extra: int | None) -> None:
    assert encoder.frame_rate is not None
    samples = round(seconds * encoder.sample_rate)
    if extra is not None and encoder.window is not None:
        samples = round(encoder.window * encoder.sample_rate) + extra
    times = heard(samples, encoder)
    assert len(times) == centred(samples, encoder.sample_rate, encoder.frame_rate)
    # windows begin on whole samples: half a sample is all that a frame may be away from its place
    wrong = np.abs(times - np.arange(len(times)) / encoder.frame_rate)
    assert wrong.max() <= 0.5 / encoder.sample_rate + TINY
    assert times[-1] <= samples / encoder.sample_rate + 0.5 / encoder.sample_rate + TINY


@settings(deadline=None, max_examples=200)
@given(encoder=encoders(), seconds=st.floats(0.01, 30.0))
@example(encoder=Oracle(16_000, 5.0, 50.0), seconds=17.0)
@example(encoder=Oracle(16_000, 4.0, 31.25), seconds=11.0)
def test_encoders_that_spare_frames(encoder: Oracle, seconds: float) -> None:
    assert encoder.frame_rate is not None
    samples = round(seconds * encoder.sample_rate)
    layout = layout_windows(samples, encoder)
    times = heard(samples, encoder, sparing=True)
    whole = centred(samples, encoder.sample_rate, encoder.frame_rate)
    assert whole - 2 <= len(times) <= whole
    places = np.arange(len(times)) / encoder.frame_rate
    away = np.abs(times - places) * encoder.frame_rate  # in frames
    slack = 0.5 / encoder.sample_rate * encoder.frame_rate + TINY
    # where the windows do not meet, the frame before stands in; the grid keeps its time after it
    repeated = np.flatnonzero(away > slack)
    assert (away[repeated] <= 1 + slack).all()
    assert {int(place) + 1 for place in repeated} <= set(layout.frames)
    assert np.array_equal(times[repeated], times[repeated - 1])


def test_a_frame_that_two_windows_share_appears_once() -> None:
    encoder = Oracle(16_000, 4.0, 31.25)  # 126 frames a window, the last centred on its very end
    layout = layout_windows(8 * 16_000, encoder)
    assert layout.starts == (0, 64_000)
    assert layout.frames == (0, 125)
    windows = [np.full((126, 1, 1), name, dtype=np.float32) for name in (1, 2)]
    stitched = stitch(list(windows), layout, encoder)[:, 0, 0]
    np.testing.assert_array_equal(stitched, [1.0] * 125 + [2.0] * 126)


@pytest.mark.parametrize(
    ("samples", "starts", "frames"),
    [
        (64_000, (0,), (0,)),
        (64_001, (0, 512), (0, 1)),  # the second ends with the track, up to one frame
        (1, (0,), (0,)),
        (128_000, (0, 64_000), (0, 125)),
        (160_000, (0, 64_000, 96_256), (0, 125, 188)),
    ],
)
def test_where_windows_lie(samples: int, starts: tuple[int, ...], frames: tuple[int, ...]) -> None:
    layout = layout_windows(samples, Oracle(16_000, 4.0, 31.25))
    assert (layout.starts, layout.frames, layout.size) == (starts, frames, 64_000)
    assert layout.padded == (samples < 64_000)


@settings(deadline=None, max_examples=200)
@given(encoder=encoders(), seconds=st.floats(0.01, 60.0))
def test_every_sample_is_heard_and_no_window_is_idle(encoder: Oracle, seconds: float) -> None:
    assert encoder.frame_rate is not None
    samples = round(seconds * encoder.sample_rate)
    layout = layout_windows(samples, encoder)
    assert layout.starts[0] == 0
    ends = [start + layout.size for start in layout.starts]
    # a window and its start are rounded to whole samples, each by half a sample at most
    assert all(start <= end + 1 for end, start in zip(ends, layout.starts[1:], strict=False))
    assert samples <= ends[-1] + 1
    assert all(start < samples for start in layout.starts)
    assert sorted(set(layout.starts)) == list(layout.starts)
    if not layout.padded:
        hop = encoder.sample_rate / encoder.frame_rate
        assert ends[-1] <= samples + hop + 1
    audio = np.arange(1, samples + 1, dtype=np.float32)
    last = layout.cut(audio)[-1]
    last = last[layout.context : len(last) - layout.context]
    inside = min(samples - layout.starts[-1], layout.size)
    np.testing.assert_array_equal(last[:inside], audio[layout.starts[-1] :][:inside])
    if layout.context and not layout.padded:  # mirrored: see below
        return
    assert not last[inside:].any()


@settings(deadline=None, max_examples=200)
@given(seconds=st.floats(0.3, 12.0), length=st.floats(0.3, 5.0), context=st.floats(0.001, 0.25))
@example(seconds=8.0, length=4.0, context=0.064)
@example(seconds=4.0, length=4.0, context=0.064)
@example(seconds=1.0, length=4.0, context=0.064)
def test_around_a_window_lies_the_track(seconds: float, length: float, context: float) -> None:
    encoder = Oracle(8000, length, 31.25, context=context)
    samples = round(seconds * 8000)
    layout = layout_windows(samples, encoder)
    assert layout.context == round(8000 * context)
    assert samples_per_call(encoder, length) == layout.size + 2 * layout.context
    audio = np.random.default_rng(0).normal(size=samples).astype(np.float32)
    track = np.concatenate([audio, np.zeros(max(0, layout.size - samples), np.float32)])
    end = len(track) - 1
    for start, window in zip(layout.starts, layout.cut(audio), strict=True):
        places = np.abs(np.arange(start - layout.context, start + layout.size + layout.context))
        mirrored = np.where(places > end, 2 * end - places, places)
        np.testing.assert_array_equal(window, track[mirrored])


def test_windows_of_a_long_track_are_no_copies() -> None:
    audio = np.zeros(30_000, np.float32)
    for window in (None, 1.0):
        layout = layout_windows(len(audio), Oracle(10_000, window, 25.0))
        assert all(np.shares_memory(part, audio) for part in layout.cut(audio))


def test_any_length_has_nothing_around_it() -> None:
    encoder = Oracle(16_000, None, 31.25, context=0.064)
    layout = layout_windows(20_000, encoder)
    assert (layout.context, samples_per_call(encoder, 1.25)) == (0, 20_000)
    assert len(layout.cut(np.zeros(20_000, np.float32))[0]) == 20_000


def test_an_encoder_without_frames_is_given_windows_side_by_side() -> None:
    layout = layout_windows(25_000, Oracle(10_000, 1.0, None))
    assert layout.starts == (0, 10_000, 15_000)
    assert layout.starts[-1] + layout.size == 25_000


def test_any_length_is_one_window() -> None:
    layout = layout_windows(123_457, Oracle(16_000, None, 31.25))
    assert (layout.starts, layout.size, layout.padded) == ((0,), 123_457, False)


def test_a_window_shorter_than_a_frame() -> None:
    with pytest.raises(EncoderError, match=r"window 0\.5 s holds no frame at frame_rate 1\.0"):
        layout_windows(1000, Oracle(16_000, 0.5, 1.0))


@pytest.mark.parametrize(("samples", "limit"), [(1, 1), (511, 1), (512, 2), (64_000, 126)])
def test_frame_limit(samples: int, limit: int) -> None:
    assert max_frames(samples, Oracle(16_000, 4.0, 31.25)) == limit


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seconds", [0.01, 0.5, 4.0, 30.0])
def test_frames_within_one_of_the_declared_rate(rate: float, seconds: float) -> None:
    samples = round(seconds * 16_000)
    encoder = Oracle(16_000, None, rate)
    wanted = samples / 16_000 * rate
    allowed = range(max(1, floor(wanted - TINY)), floor(wanted + 1 + TINY) + 1)
    assert len(allowed) >= 1
    for count in allowed:
        check_frame_count(count, samples, encoder)
    for count in (0, allowed[0] - 1, allowed[-1] + 1, 2 * allowed[-1] + 1, -1):
        with pytest.raises(EncoderError, match=f"declares frame_rate {rate}, which calls for abou"):
            check_frame_count(count, samples, encoder)


def test_a_wrong_rate_says_what_came_and_what_was_declared() -> None:
    with pytest.raises(EncoderError) as caught:
        check_frame_count(250, 64_000, Oracle(16_000, 4.0, 31.25))
    assert str(caught.value) == (
        "returned 250 frames for 4.000 s, 62.50 a second; it declares frame_rate 31.25, which "
        "calls for about 125"
    )
