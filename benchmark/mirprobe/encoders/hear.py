"""Any module of the HEAR 2021 API as an encoder.

The API (Turian et al., *HEAR: Holistic Evaluation of Audio Representations*, 2022) is a module with
the functions `load_model(path)`, `get_timestamp_embeddings(audio, model)` and
`get_scene_embeddings(audio, model)`, whose model has `sample_rate`, `timestamp_embedding_size` and
`scene_embedding_size`. Timestamps are the centres of frames in milliseconds. The module loads its
weights itself, possibly from pickles: use only modules that you trust.
"""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.api.encoder import EncoderInfo
from mirprobe.core.errors import ConfigError, EncoderError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.hear_fingerprint import module_digest, weights_digest
from mirprobe.encoders.windows import max_frames

log = logging.getLogger(__name__)

_REVISION = 1  # part of the fingerprint: raise it when a change here changes the numbers
_EMBEDDINGS = ("both", "timestamp", "scene")
_FUNCTIONS = ("load_model", "get_timestamp_embeddings", "get_scene_embeddings")
_SIZES = ("sample_rate", "timestamp_embedding_size", "scene_embedding_size")
_TOLERANCE = 1.0  # ms of deviation from even spacing: some modules round to whole ms
_MEASURED = 10.0  # seconds of audio from whose timestamps the frame rate is measured


class Hear:
    """A HEAR module: its timestamp embeddings are frames, its scene embedding is a class token.

    The frame rate is measured from the timestamps of ten seconds of noise. The harness expects
    frame i at i / frame_rate. If the first timestamp is more than half a frame late, that much
    silence is added before the audio (and after it, if frames would be missing there). Otherwise
    frames are used unchanged; they are off by at most half a frame.

    The API gives rates and sizes only of a loaded model, so this encoder loads its model at
    construction. The fingerprint covers the source files of the module's package, the releases of
    the package and its requirements, and the bytes of `weights`. Weights that a module downloads
    itself are identified only by these releases.

    A track shorter than the window is padded with silence. The padding affects the scene embedding
    but not the mean of the frames. With `window=null` each track is encoded in one call, which may
    need much memory.

    Args:
        module: such as `hearbaseline.vqt`.
        weights: file or folder for `load_model`; None to call it without.
        window: seconds of audio per call; None for any length.
        embedding: `timestamp`, `scene`, or `both`, which must have the same size. None means `both`
            if the sizes are equal, otherwise `timestamp` with a warning. `scene` gives no frames.

    Raises:
        ConfigError: the module is missing, fails to load, is not of the API or works in
            TensorFlow, its timestamps are not evenly spaced, or an option is wrong.
    """

    layers: tuple[str, ...] = ("embedding",)
    positional = ("module", "weights")

    def __init__(
        self,
        *,
        module: str,
        weights: str | Path | None = None,
        window: float | None = 10.0,
        embedding: str | None = None,
    ) -> None:
        self._name = module
        if embedding not in (None, *_EMBEDDINGS):
            self._refuse(f"has no embedding={embedding}: choose from {', '.join(_EMBEDDINGS)}")
        if window is not None and not 0 < window < float("inf"):
            self._refuse(f"cannot work with window={window}: give seconds above 0, or null")
        source = module_digest(module)
        self._module, self._model = self._load(weights)
        self.sample_rate, timestamp_size, scene_size = self._sizes()
        self._kind = self._choose(embedding, timestamp_size, scene_size)
        self.window = window
        self.dim = scene_size if self._kind == "scene" else timestamp_size
        self.sources: tuple[str, ...] = {
            "both": ("class", "sequence"),
            "timestamp": ("sequence",),
            "scene": ("class",),
        }[self._kind]
        self.frame_rate: float | None = None
        self._lead = self._tail = 0  # samples of silence before and after the audio
        if self._kind != "scene":
            self._measure()
        parts = (module, source, weights_digest(weights), window, self._kind)
        self.fingerprint = digest("hear", _REVISION, *parts)
        self.info = EncoderInfo(sum(parameter.numel() for parameter in self._model.parameters()))

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono windows.

        Args:
            audio: (batch, samples) in [-1, 1] at `sample_rate`.

        Returns:
            Tokens of one layer: a sequence (batch, time, 1, dim) and a class token
            (batch, 1, dim), as chosen by `embedding`.

        Raises:
            EncoderError: the module returns other shapes than the API specifies, or timestamps
                that do not match the measured frame rate.
        """
        self._model.to(audio.device)
        sequence = class_token = None
        if self._kind != "scene":
            sequence = self._frames(audio)[:, :, None]
        if self._kind != "timestamp":
            class_token = self._scene(audio)[:, None]
        return Tokens(sequence=sequence, class_token=class_token)

    def _scene(self, audio: Tensor) -> Tensor:
        """(B, samples) to (B, dim)."""
        scene = self._module.get_scene_embeddings(audio, self._model)
        if not isinstance(scene, Tensor) or tuple(scene.shape) != (len(audio), self.dim):
            raise EncoderError(
                f"returned {_shape(scene)} as scene embeddings; its size calls for "
                f"({len(audio)}, {self.dim})"
            )
        return scene.float()

    def _frames(self, audio: Tensor) -> Tensor:
        """(B, samples) to (B, time, dim), frame i centred at i / frame_rate within half a frame."""
        assert self.frame_rate is not None
        embeddings, times = self._timestamps(F.pad(audio, (self._lead, self._tail)))
        times = times - 1000 * self._lead / self.sample_rate
        hop = 1000 / self.frame_rate
        _require_even(times, hop)
        first = round(-float(times[0]) / hop)  # the module's frame nearest to 0 s
        wanted = max_frames(audio.shape[1], self)
        frames = embeddings[:, max(0, first) : max(0, first) + wanted]
        if first < 0 or frames.shape[1] < max(1, wanted - 1):
            raise EncoderError(
                f"has frames from {times[0]:.1f} to {times[-1]:.1f} ms, {hop:.2f} ms apart, which "
                f"do not cover {audio.shape[1] / self.sample_rate:.3f} s of audio"
            )
        return frames.float()

    def _timestamps(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, T, dim) and the timestamps (T,) in ms, the same for all rows."""
        answer = self._module.get_timestamp_embeddings(audio, self._model)
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise EncoderError(
                f"returned a {type(answer).__name__} as timestamp embeddings; the HEAR API calls "
                "for embeddings and timestamps"
            )
        embeddings, times = answer
        if not isinstance(embeddings, Tensor) or not isinstance(times, Tensor):
            raise EncoderError(
                f"returned {_shape(embeddings)} and {_shape(times)} as timestamp embeddings; the "
                "HEAR API calls for two tensors"
            )
        wanted = (len(audio), times.shape[-1] if times.ndim else 0, self.dim)
        if tuple(embeddings.shape) != wanted or times.shape != embeddings.shape[:2]:
            raise EncoderError(
                f"returned timestamp embeddings of shape {tuple(embeddings.shape)} and timestamps "
                f"of shape {tuple(times.shape)}; its size calls for ({len(audio)}, time, "
                f"{self.dim}) and ({len(audio)}, time)"
            )
        times = times.detach().double().cpu()
        if not times.isfinite().all() or not times.equal(times[:1].expand_as(times)):
            raise EncoderError("returned timestamps that are not finite or differ within a batch")
        return embeddings, times[0]

    def _measure(self) -> None:
        """Measure the frame rate, and the silence that aligns frame i with i / frame_rate."""
        noise = torch.randn(
            1, round(_MEASURED * self.sample_rate), generator=torch.Generator().manual_seed(0)
        )
        try:
            with torch.inference_mode():
                audio = 0.1 * noise
                _, times = self._timestamps(audio)
                if len(times) < 2 or float(times[-1] - times[0]) <= 0:
                    raise EncoderError(
                        f"gives the timestamps {times[:3].tolist()} for {_MEASURED} s, from which "
                        "no frame rate follows; use embedding=scene"
                    )
                hop = float(times[-1] - times[0]) / (len(times) - 1)
                _require_even(times, hop)
                self.frame_rate = 1000 / hop
                late = float(times[0])
                if late > hop / 2 + _TOLERANCE:
                    self._lead = round(late * self.sample_rate / 1000)
                # relative to the audio, the silence before it does not move the last frame
                last = (max_frames(audio.shape[1], self) - 1) * hop
                if last - float(times[-1]) > hop:
                    self._tail = round((last - float(times[-1])) * self.sample_rate / 1000)
                if self._lead or self._tail:
                    self._frames(audio)  # raises if that was not enough
        except EncoderError as error:
            raise ConfigError(f"encoder hear: module '{self._name}' {error}") from error
        except Exception as error:
            self._refuse(
                f"raised {type(error).__name__}: {error}, in get_timestamp_embeddings of a tensor "
                f"{tuple(noise.shape)}",
                error,
            )

    def _load(self, weights: str | Path | None) -> tuple[Any, Any]:
        try:
            module = import_module(self._name)
        except Exception as error:
            self._refuse(f"fails to import ({type(error).__name__}: {error}); correct it", error)
        missing = [name for name in _FUNCTIONS if not callable(getattr(module, name, None))]
        if missing:
            self._refuse(f"has no {', '.join(missing)}; name one of the HEAR 2021 API")
        if weights is not None and not Path(weights).exists():
            self._refuse(f"cannot have weights={weights}: there is no such file")
        try:
            with torch.random.fork_rng(devices=[]):  # the module may seed the global generator
                model = module.load_model() if weights is None else module.load_model(str(weights))
        except Exception as error:
            self._refuse(
                f"raised {type(error).__name__}: {error}, in load_model; install what it needs, or "
                "name its weights with weights=PATH",
                error,
            )
        if not isinstance(model, torch.nn.Module):
            self._refuse(f"loads a {type(model).__name__}, not a torch.nn.Module; use its PyTorch")
        return module, model.eval()

    def _sizes(self) -> tuple[int, int, int]:
        values = [getattr(self._model, name, None) for name in _SIZES]
        for name, value in zip(_SIZES, values, strict=True):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                self._refuse(f"has a model whose {name} is {value!r}, not a whole number above 0")
        rate, timestamp, scene = (int(value) for value in values if value is not None)
        return rate, timestamp, scene

    def _choose(self, embedding: str | None, timestamp_size: int, scene_size: int) -> str:
        if timestamp_size == scene_size or embedding in ("timestamp", "scene"):
            return embedding or "both"
        sizes = f"has timestamp embeddings of size {timestamp_size} and scenes of size {scene_size}"
        if embedding == "both":
            self._refuse(f"{sizes}, which cannot stand together; use embedding=timestamp or scene")
        log.warning(
            "hear: module '%s' %s; the clip vector is the mean of the former, "
            "embedding=scene gives the latter",
            self._name,
            sizes,
        )
        return "timestamp"

    def _refuse(self, reason: str, cause: Exception | None = None) -> NoReturn:
        raise ConfigError(f"encoder hear: module '{self._name}' {reason}") from cause


def _require_even(times: Tensor, hop: float) -> None:
    """Refuse timestamps (T,) that are not `hop` milliseconds apart."""
    grid = times[0] + hop * torch.arange(len(times), dtype=times.dtype)
    if float((times - grid).abs().max()) > _TOLERANCE:
        gaps = times.diff()
        raise EncoderError(
            f"returned timestamps that are not evenly spaced: from {times[0]:.1f} to "
            f"{times[-1]:.1f} ms they lie {gaps.min():.2f} to {gaps.max():.2f} ms apart, where "
            f"{hop:.2f} ms was expected"
        )


def _shape(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    return f"a {type(value).__name__}"
