"""All checks that an encoder keeps the Encoder protocol.

Shapes, values and the number of frames, which a run checks too, are tested with silent, very short
and very long input. Frame times and independence of the batch, which a run cannot see, are
measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from mirprobe.api.encoder import Encoder
from mirprobe.core.check import Check
from mirprobe.core.errors import EncoderError
from mirprobe.core.schema import Tokens
from mirprobe.encoders.cast_loss import LOST, CastLoss
from mirprobe.encoders.declaration import CheckedEncoder, DeclarationError
from mirprobe.encoders.encode import (
    call_encoder,
    check_finite,
    difference,
    encode,
    pool,
    select_row,
    to_device,
)
from mirprobe.encoders.validation import attributes
from mirprobe.encoders.validation.frame_alignment import SECONDS, ImpulseResponse, measure
from mirprobe.encoders.windows import layout_windows, max_frames, samples_per_call, stitch

TOLERANCE = 1e-3
"""Maximum relative difference (root mean square) between batches and between repetitions."""
OFFSET = 0.5  # maximum, in frames
_CLIP = 4.0  # seconds of audio for an encoder without a window
_SHORT = "pad audio that is too short for the encoder with zeros, in its call"
_REMEDIES = {
    "silence": "do not divide by a level or deviation that is zero",
    "one sample": _SHORT,
    "one frame": _SHORT,
}


def validate(make: Callable[[], Encoder], device: str = "cpu") -> Iterator[Check]:
    """Check an encoder.

    Args:
        make: builds the encoder; called three times.
        device: of the encoder.

    Yields:
        One result per check. If an attribute is wrong or the first call fails, the checks end
        there.

    Raises:
        MirprobeError: `make` raises it.
    """
    try:
        encoder = CheckedEncoder("", make())
        yield attributes.declared(encoder)
        begun = perf_counter()  # the first construction may import packages
        fresh = CheckedEncoder("", make())
    except DeclarationError as error:
        yield Check("attributes", False, error.found, error.remedy)
        return
    yield attributes.construction(perf_counter() - begun)
    fingerprint = encoder.fingerprint
    yield attributes.same_fingerprint(fingerprint, fresh.fingerprint)
    to_device(encoder, device)
    to_device(fresh, device)
    trial = _Trial(encoder, device)
    first = _guarded("tokens", trial.tokens)
    yield first
    if not first.passed:
        return
    checks: dict[str, Callable[[], Check]] = {
        "sources": trial.sources,
        "float16": trial.float16,
        "input": trial.input,
        "batch": trial.batch,
        "repetition": lambda: trial.repetition(fresh),
        "silence": lambda: trial.as_in_a_run("silence", np.zeros(trial.size, np.float32)),
        "one sample": lambda: trial.as_in_a_run("one sample", _noise(1)),
        "one frame": trial.one_frame,
    }
    for name, check in checks.items():
        yield _guarded(name, check)
    yield from _times(encoder, device)
    yield attributes.kept_fingerprint(fingerprint, encoder.own_fingerprint())
    yield _guarded(
        "weights", lambda: attributes.weights(CheckedEncoder("", make()), trial.clips[:1])
    )


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """The check; failed if the encoder raises an error in it."""
    try:
        return check()
    except EncoderError as error:
        return Check(name, False, f"the encoder {error}", _REMEDIES.get(name, ""))
    except torch.OutOfMemoryError:
        return Check(name, False, "out of memory", "use --device cpu, or a shorter window")


class _Trial:
    """An encoder, clips of noise, and the tokens of the first clip."""

    def __init__(self, encoder: CheckedEncoder, device: str) -> None:
        self.encoder = encoder
        self.device = device
        seconds = encoder.window or _CLIP
        self.size = round(seconds * encoder.sample_rate)
        clips = _noise(4 * samples_per_call(encoder, seconds)).reshape(4, -1)
        self.clips = torch.from_numpy(clips).to(device)
        # louder, silent and quieter neighbours reveal a dependence on the batch
        self.clips *= torch.tensor([1.0, 9.0, 0.0, 1e-3], device=device)[:, None]
        self.alone = Tokens()

    def tokens(self) -> Check:
        """Shapes, number type and values of one clip's tokens."""
        self.alone = self._call(self.clips[:1])
        given = self.alone.given()
        if not given:
            return Check("tokens", False, "neither sequence nor class token", "return one of them")
        largest = max(float(part.abs().max()) for part in given.values())
        found = ", ".join(f"{name} {tuple(part.shape)}" for name, part in given.items())
        found += f" for {self.size / self.encoder.sample_rate:g} s, at most {largest:.3g}"
        if largest > torch.finfo(torch.float16).max:
            found += ": beyond float16, so runs need --dtype float32"
        return Check("tokens", True, found)

    def sources(self) -> Check:
        """The tokens allow every declared pooling."""
        sequence = self.alone.sequence
        count = 0 if sequence is None else sequence.shape[1]
        vectors = pool(self.alone, torch.ones(1, count, device=self.device), self.encoder.sources)
        found = f"{', '.join(self.encoder.sources)}: {tuple(vectors.shape[1:])} a clip"
        if self.alone.class_token is not None and "class" not in self.encoder.sources:
            found += "; class tokens are returned but not declared"
        return Check("sources", True, found)

    def float16(self) -> Check:
        """The cache's number type keeps what the tokens tell."""
        loss = CastLoss(self.encoder)
        for name, part in self._call(self.clips).given().items():
            loss.see(name, part)
        found = loss.describe(self.encoder.layers)
        remedy = "scale the embeddings to about 1, around 0; or runs need --dtype float32"
        return Check("float16", loss.share <= LOST, found, remedy)

    def input(self) -> Check:
        """The windows that a call is given stay as they are."""
        given = self.clips[:1].clone()
        call_encoder(self.encoder, given)
        same = given.equal(self.clips[:1])
        found = "left as it is" if same else "changed by a call"
        return Check("input", same, found, "work on a copy: `audio = audio * 2`, not `audio *= 2`")

    def batch(self) -> Check:
        """The tokens of a clip do not depend on the other clips of its batch."""
        together = self._call(self.clips)
        remedy = (
            "normalise each clip separately, mask padding, and put batch norm into evaluation mode"
        )
        return self._alike("batch", "in batches of 1 and of 4", select_row(together, 0), remedy)

    def repetition(self, fresh: Encoder) -> Check:
        """A second call and a second instance give the same tokens."""
        again = self._call(self.clips[:1])
        remedy = "put it into evaluation mode (dropout) and keep state out of its calls"
        check = self._alike("repetition", "called twice", again, remedy)
        if not check.passed:
            return check
        other = check_finite(
            encode(fresh, self.clips[:1]), torch.float32, layers=self.encoder.layers
        )
        remedy = "draw random weights from a seeded generator, and make it part of the fingerprint"
        return self._alike("repetition", "called twice and in a new instance", other, remedy)

    def one_frame(self) -> Check:
        """A track of the length of one frame."""
        if self.encoder.frame_rate is None:
            return Check("one frame", None, "it has no frames")
        samples = max(1, round(self.encoder.sample_rate / self.encoder.frame_rate))
        return self.as_in_a_run("one frame", _noise(samples))

    def as_in_a_run(
        self, name: str, samples: np.ndarray[tuple[int], np.dtype[np.float32]]
    ) -> Check:
        """A track as in a run: cut into windows, padded, frames stitched."""
        layout = layout_windows(len(samples), self.encoder)
        windows = np.stack(layout.cut(samples))
        tokens = self._call(torch.from_numpy(windows).to(self.device))
        found = f"{len(samples)} samples, finite"
        if self.encoder.frame_rate is not None and tokens.sequence is not None:
            frames = tokens.sequence[:, :, :, :1].float().cpu().numpy()
            count = len(stitch(list(frames), layout, self.encoder))
            found += f", {count} of at most {max_frames(len(samples), self.encoder)} frames"
        return Check(name, True, found)

    def _call(self, windows: Tensor) -> Tokens:
        return check_finite(
            encode(self.encoder, windows), torch.float32, layers=self.encoder.layers
        )

    def _alike(self, name: str, how: str, tokens: Tokens, remedy: str) -> Check:
        apart = difference(self.alone, tokens)
        found = f"{apart:.1e} apart {how}, of at most {TOLERANCE:g}"
        return Check(name, apart <= TOLERANCE, found, remedy)


def _noise(samples: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(1).normal(0, 0.1, samples).astype(np.float32)


def _times(encoder: Encoder, device: str) -> Iterator[Check]:
    """Frame times and their drift over ten minutes."""
    if encoder.frame_rate is None:
        for name in ("frame times", "drift"):
            yield Check(name, None, "it declares no frame_rate")
        yield _guarded("ten minutes", lambda: _long(encoder, device))
        return
    try:
        response = measure(encoder, device)
    except EncoderError as error:
        yield Check("frame times", False, f"over {SECONDS:g} s the encoder {error}")
        return
    except torch.OutOfMemoryError:
        found = f"out of memory on {SECONDS:g} s of audio"
        yield Check("frame times", False, found, "declare a window")
        return
    if not response.localised:
        reason = "no layer has a clear response to an impulse in the frames near it"
        for name in ("frame times", "drift"):
            yield Check(name, None, f"could not be checked: {reason}")
        return
    yield from _judged(response, encoder.frame_rate)


def _judged(response: ImpulseResponse, rate: float) -> Iterator[Check]:
    def judged(name: str, value: float, error: float, where: str, remedy: str) -> Check:
        # passed unless the whole interval is outside
        low, high = value - 1.96 * error, value + 1.96 * error
        found = f"{value:+.2f} frames (95 %: {low:+.2f} to {high:+.2f}; some of it must lie within "
        found += f"{OFFSET:g}), "
        found += f"{1000 * value / rate:+.1f} ms {where}"
        return Check(name, low <= OFFSET and high >= -OFFSET, found, remedy)

    remedy = "centre frame i at i / frame_rate: pad by half of the receptive field"
    where = f"late, in layer {response.layer}"
    yield judged("frame times", response.offset, response.offset_error, where, remedy)
    remedy = "declare the frame rate exactly, as sample_rate / hop"
    where = f"over {SECONDS:g} s"
    yield judged("drift", response.drift, response.drift_error, where, remedy)


def _long(encoder: Encoder, device: str) -> Check:
    """Ten minutes in one call, for an encoder without a window."""
    if encoder.window is not None:
        return Check("ten minutes", None, f"come in windows of {encoder.window:g} s")
    samples = torch.from_numpy(_noise(round(SECONDS * encoder.sample_rate)))[None].to(device)
    check_finite(encode(encoder, samples), torch.float32, layers=encoder.layers)
    return Check("ten minutes", True, "finite")
