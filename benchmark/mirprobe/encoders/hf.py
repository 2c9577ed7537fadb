"""Audio models of Hugging Face transformers as encoders. Needs the extra `mirprobe[hf]`."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import yaml
from torch import Tensor

from mirprobe.api.encoder import EncoderInfo, count_parameters
from mirprobe.core.errors import ConfigError, EncoderError
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.hf_families import FAMILIES, Window
from mirprobe.encoders.lazy_model import LazyModel

_REVISION = 1  # part of the fingerprint: raise it when a change here changes the numbers
_TRAINING_ONLY = {"masked_spec_embed"}  # weights that a model may lack


class HuggingFace(LazyModel):
    """A pretrained model of transformers: wav2vec 2.0, HuBERT, WavLM, Whisper, AST and others.

    The families are wav2vec 2.0, HuBERT, WavLM, data2vec-audio, MERT, AST, the encoder of Whisper,
    the audio tower of CLAP, and EnCodec.

    Configuration and feature extractor are read at construction; the weights, safetensors alone,
    at the first call. Sample rate, normalisation and frames follow from the two: see
    `mirprobe.encoders.hf_families`. The fingerprint covers the files of a folder, or the commit of
    a repository, and the release of transformers.

    A track shorter than the window is padded with silence, which the model hears and which shares
    in the normalisation of the window; its frames are dropped afterwards. `window=null` gives
    tracks whole, one at a time, to models that take any length.

    Args:
        model: a folder, or a repository on the hub such as `facebook/hubert-base-ls960`.
        revision: of the repository: a branch, tag or commit; None for its main branch.
        window: seconds of audio a call is given; `auto` for what AST and CLAP fix and ten for the
            others; None for any length.
        trust_remote_code: run the code that comes with the model, as MERT needs. Read it first.
        supervised: tasks that it was trained for with labels, such as `tagging+genre`; nothing of
            it is in a configuration.

    Raises:
        ConfigError: transformers is missing, the model cannot be found or is of another kind, its
            weights are pickles, or it needs code that is not trusted.
    """

    positional = ("model",)

    def __init__(
        self,
        *,
        model: str | Path,
        revision: str | None = None,
        window: Window = "auto",
        trust_remote_code: bool = False,
        supervised: str = "",
    ) -> None:
        if window not in ("auto", None) and not 0 < float(window) < float("inf"):
            raise ConfigError(f"encoder hf: window={window}: give seconds above 0, auto or null")
        self._name = str(model)
        self._options = {"revision": revision, "trust_remote_code": trust_remote_code}
        folder = Path(model) if Path(model).is_dir() else None
        files = self._files(folder) if folder else ()
        config = self._read("AutoConfig")
        kind = str(config.model_type)
        if kind == "musicgen":
            self._refuse("is a language model; what hears in it is facebook/encodec_32khz")
        if kind not in FAMILIES:
            self._refuse(f"is of type '{kind}'; those that work are {', '.join(FAMILIES)}")
        extractor = self._read("AutoFeatureExtractor")
        try:
            self._family = FAMILIES[kind](config, extractor, window)
        except ConfigError as error:
            self._refuse(str(error), error)
        except AttributeError as error:
            self._refuse(f"has an incomplete configuration ({error}); fetch it again", error)
        self.sample_rate = self._family.sample_rate
        self.window = self._family.window
        self.frame_rate = self._family.frame_rate
        self.layers = self._family.layers
        self.dim = self._family.dim
        self.sources = self._family.sources
        commit = None if folder else self._pin(config)
        parts = (files, commit, self.window, version("transformers"))
        self.fingerprint = digest("hf", _REVISION, *parts)
        self._folder, self._config = folder, config
        self._supervised = tuple(filter(None, supervised.split("+")))

    @cached_property
    def info(self) -> EncoderInfo:
        """Parameters, counted on a model without weights; the licence of a folder's README.md.

        Raises:
            ConfigError: the front matter of the README.md is not YAML.
        """
        trust = self._options["trust_remote_code"]
        build = _transformers().AutoModel.from_config
        count = count_parameters(lambda: build(self._config, trust_remote_code=trust))
        return EncoderInfo(count, self._licence(), self._supervised)

    def _licence(self) -> str:
        readme = (self._folder or Path()) / "README.md"
        if self._folder is None or not readme.is_file():
            return ""
        parts = readme.read_text(encoding="utf-8", errors="replace").split("---\n", 2)
        if len(parts) < 3 or parts[0]:
            return ""
        try:
            facts = yaml.safe_load(parts[1])
        except yaml.YAMLError as error:
            self._refuse("has a README.md whose front matter is not YAML; correct it", error)
        licence = facts.get("license") if isinstance(facts, dict) else None
        return " AND ".join(licence) if isinstance(licence, list) else str(licence or "")

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono windows.

        Args:
            audio: (batch, samples) in [-1, 1] at `sample_rate`, at most `window` seconds.

        Returns:
            Tokens, float32, with a sequence (batch, time, layers, dim) and a class token
            (batch, layers, dim) as far as the model has them.

        Raises:
            EncoderError: the weights cannot be loaded, or do not fill the model.
        """
        return self._family.tokens(self._on(audio.device), audio.float())

    def _load(self) -> Any:
        try:
            model, found = _transformers().AutoModel.from_pretrained(
                self._name, use_safetensors=True, output_loading_info=True, **self._options
            )
        except Exception as error:
            raise EncoderError(
                f"cannot load model '{self._name}' ({_first_line(error)}); check that it has "
                "safetensors weights and can be reached"
            ) from error
        missing = sorted(set(found["missing_keys"]) - _TRAINING_ONLY)
        if missing:
            raise EncoderError(
                f"cannot use model '{self._name}': {len(missing)} of its weights are missing, such "
                f"as {missing[0]}; fetch it again"
            )
        return model.float()

    def _read(self, kind: str) -> Any:
        """The configuration or the feature extractor."""
        try:
            return getattr(_transformers(), kind).from_pretrained(self._name, **self._options)
        except ConfigError:
            raise
        except Exception as error:
            if "trust_remote_code" in str(error):
                self._refuse("brings code of its own; read it, then add trust_remote_code=true")
            where = "" if Path(self._name).is_dir() else "is no folder here, and on the hub "
            self._refuse(
                f"{where}cannot be read by {kind} ({_first_line(error)}); check its name and the "
                "connection",
                error,
            )

    def _files(self, folder: Path) -> list[tuple[str, str]]:
        """Names and hashes of what the model in a folder is made of."""
        found = {
            suffix: sorted(folder.glob(f"*{suffix}"))
            for suffix in (".safetensors", ".json", ".py", ".bin")
        }
        if not found[".safetensors"]:
            pickles = found.pop(".bin")
            held = f"{pickles[0].name}, a pickle, which is never loaded" if pickles else "none"
            self._refuse(
                f"has no safetensors weights ({held}); write them with save_pretrained of "
                "transformers"
            )
        names = [*found[".safetensors"], *found[".json"], *found[".py"]]
        return [(path.name, file_digest(path)) for path in names]

    def _pin(self, config: Any) -> str:
        """The commit of a repository, from which the weights are then loaded."""
        commit = getattr(config, "_commit_hash", None)
        if not commit:
            self._refuse("has no commit that could name its weights; use a folder")
        self._options["revision"] = commit
        return str(commit)

    def _refuse(self, reason: str, cause: Exception | None = None) -> NoReturn:
        raise ConfigError(f"encoder hf: model '{self._name}' {reason}") from cause


def _transformers() -> Any:
    try:
        return import_module("transformers")  # takes seconds
    except ImportError as error:
        raise ConfigError(
            f"encoder hf needs transformers ({error}); install mirprobe[hf]"
        ) from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": .")
