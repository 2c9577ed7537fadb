"""The options of a run: a frozen dataclass, filled from the command line or from a suite.

Importing this module must stay cheap: the command line makes its options from `RunConfig` before it
knows whether torch is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_type_hints

from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError
from mirprobe.core.number_types import Dtype, Precision
from mirprobe.data.paths import DATA_HOME
from mirprobe.embedding.remote_store import CACHE, is_url, local_folder
from mirprobe.evaluation.field_types import cast_field, choices_of

QUICK_ENCODERS = ("vit1d", "logmel", "mfcc", "chroma", "vit1d-random")
QUICK_TASKS = ("tagging", "key", "chord", "beat")
DATASET = "studio"

TestTracks = Literal["all", "test"]
ProbeKind = Literal["linear", "mlp", "knn", "weighted", "attentive"]
Preset = Literal["standard", "paper"]
READINGS = ("retrieval", "code")
POOLINGS = ("mean", "mean+std", "max")
ValidTracks = Literal["scaled", "all"]
DropLeaks = Literal["test"]
AnyPrecision = Literal["auto", Precision]
Engine = Literal["local", "ray"]


_FROM_ONE = (
    "limit", "test_limit", "pca", "draws", "resamples", "repeats", "batch_size", "gpu_workers",
    "chunk",
)  # fmt: skip


@dataclass(frozen=True)
class RunConfig:
    """The options of a run. Each is a field of a suite file and an option of the command line.

    Attributes:
        encoders: Encoder: NAME or FILE.py:CLASS, with options :option=value,..., or a combination
            such as concat(A,B), layers(A,4,8), pool(A,5). "Ours=FILE.py:CLASS" is called Ours in
            all tables.
        tasks: Name of a task, or FILE.py:CLASS.
        dataset: Data set: NAME or FILE.py:CLASS, with options :option=value,...; A+B joins two.
            studio if none is given.
        train_dataset: Data set to train and validate on; needs test_dataset, replaces dataset.
        test_dataset: Data set to test on; needs train_dataset.
        test_tracks: Tracks of test_dataset to test on. all (used if none is given) takes every
            track, and the test split of train_dataset is trained on too; test takes the test split
            only.
        layers: Layers: all, names such as 4,8,12, or thirds (at one third, two thirds and the end).
            An encoder with one layer always uses it.
        probe: Kind of probe. linear and mlp read one layer each; weighted is linear on a learned
            weighted sum of the layers; attentive is linear on a weighted mean of the frames, whose
            weights follow from a learned query, in tasks of clips; knn is nearest neighbours by
            cosine.
        pooling: Poolings over time in tasks of clips, of which validation chooses one: mean (the
            clip vectors of the encoder), mean+std and max (of its frames); several are separated by
            commas.
        readings: Score also retrieval (precision at 10 and mAP of cosine neighbours in tasks with
            classes or tags of clips) or code (length of an online code of the labels in tasks with
            classes); or both, separated by a comma.
        preset: How probes are trained; paper follows the ViT-1D paper.
        pca: Probe this many principal components of the embeddings, fitted on the training split.
        seeds: Seed of the probes; each seed trains one probe.
        draws: Draws of random weights of an encoder such as vit1d-random, unless its seed is given.
            Scores are averaged over them.
        resamples: Times that training and validation tracks are dealt, by group. The first deal is
            that of the data set. The test split stays. Intervals then contain the choice of these
            tracks.
        folds: Cross-validation: training and validation tracks are dealt into this many folds, by
            group. Each fold validates once the probes that are trained on the others. The test
            split stays, and scores are averaged over the folds. It replaces resamples.
        train_tracks: Train also on this many tracks of the training split: 10,30,100,all. The
            subsets are nested, random, by class where a track has one class, in whole groups. The
            whole split is always probed; the test split stays.
        shots: Train also on this many tracks of each class: 1,5,10. Needs tasks with one class a
            track.
        repeats: Random orders of the training tracks, from which train_tracks and shots take.
        valid_tracks: Validation tracks of a subset. scaled is the same share as of the training
            tracks; all is every track.
        device: Device of encoders and probes: auto, cpu, cuda, cuda:1 or mps.
        dtype: Number type of the cached embeddings.
        precision: Number type of the encoders' arithmetic. bf16 and fp16 use torch's autocast;
            auto is bf16 on a GPU that supports it and 32 elsewhere.
        batch_size: Windows in one call of an encoder; halved when the device runs out of memory.
        engine: Where encoders run: in this process, or on the workers of a Ray cluster. With ray,
            cached embeddings are not compared with the encoder.
        gpu_workers: Workers for each GPU, with engine ray.
        chunk: Tracks in one call of a worker, with engine ray.
        jobs: Processes that train probes and score; 0 for one per core. No result depends on it.
        limit: Use only this many tracks of each split, the first ones: for a trial. It limits the
            test split too, unless test_limit is given. To train on fewer tracks give train_tracks.
        test_limit: Use only this many tracks of the test split.
        perturb: Effect on the test audio, NAME=STRENGTH,...: transpose=-6..6 (semitones),
            tempo=0.8,1.25, noise=30,10 (dB), gain=-12 (dB), lowpass=4000 (Hz), mp3=64 (kbit/s),
            opus=24 (kbit/s), reverb=2 (seconds); or exact-transpose and exact-tempo, rendered by
            studio and scores. Keys, chords, notes and times move along. The
            selected probe, trained on undisturbed audio, is scored again on each.
        perturb_train: Train probes on disturbed audio too: for each perturbation another probe,
            whose training, validation and test tracks have it.
        drop_leaks: Given as test, leaves out test tracks with equal or near-equal audio in the
            other splits, or of a group in them; see `mirprobe data audit`. Every row says how many.
        strict: Stop at the first track that cannot be used.
        data_home: Folder with one folder per data set, for data sets that are not generated.
        cache_dir: Folder of the embeddings and of generated audio; or an address of embeddings
            that fsspec can open, such as s3://bucket/path.
        local_dir: With cache_dir at an address, the folder on this machine of generated audio,
            hashes, finished cells and copies of embeddings. embeddings_cache if none is given.
        results_dir: Folder that gets the folder of the run.
    """

    encoders: tuple[str, ...] = QUICK_ENCODERS
    tasks: tuple[str, ...] = QUICK_TASKS
    dataset: str | None = None
    train_dataset: str | None = None
    test_dataset: str | None = None
    test_tracks: TestTracks | None = None
    layers: str | tuple[str, ...] = "thirds"
    probe: ProbeKind = "linear"
    pooling: str | tuple[str, ...] = "mean"
    readings: str | tuple[str, ...] | None = None
    preset: Preset = "standard"
    pca: int | None = None
    seeds: tuple[int, ...] = (0,)
    draws: int = 2
    resamples: int = 1
    folds: int | None = None
    train_tracks: str | tuple[str, ...] = "all"
    shots: str | tuple[str, ...] | None = None
    repeats: int = 5
    valid_tracks: ValidTracks = "scaled"
    device: str = "auto"
    dtype: Dtype = "float16"
    precision: AnyPrecision = "32"
    batch_size: int = 16
    engine: Engine = "local"
    gpu_workers: int = 1
    chunk: int = 16
    jobs: int = 0
    limit: int | None = None
    test_limit: int | None = None
    perturb: tuple[str, ...] = ()
    perturb_train: bool = False
    drop_leaks: DropLeaks | None = None
    strict: bool = False
    data_home: Path = DATA_HOME
    cache_dir: Path | str = CACHE
    local_dir: Path | None = None
    results_dir: Path = Path("results")

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(RunConfig).items():
            value, choices = getattr(self, name), choices_of(hint)
            if choices and value is not None and value not in choices:
                raise ConfigError(f"unknown {name} '{value}'; {nearest(value, choices)}")
        self._complete_datasets()
        for name in ("encoders", "tasks", "seeds"):
            values = getattr(self, name)
            if not values:
                raise ConfigError(f"'{name}' is empty; name at least one")
            if len(set(values)) < len(values):
                raise ConfigError(f"'{name}' names one twice: {', '.join(map(str, values))}")
        if self.engine == "ray" and self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(
                f"device is '{self.device}'; engine 'ray' takes auto, cpu or cuda, and assigns one "
                "GPU to each worker"
            )
        for seed in self.seeds:
            if not 0 <= seed < 2**63:
                raise ConfigError(f"seed {seed} must lie between 0 and 2**63 - 1")
        if self.jobs < 0:
            raise ConfigError(f"jobs is {self.jobs}; give 1 or more, or 0 for one per core")
        if self.folds is not None and (self.folds < 2 or self.resamples > 1):
            raise ConfigError(
                f"folds is {self.folds} and resamples {self.resamples}; give 2 folds or more, "
                "without resamples"
            )
        _ = self.reading_names, self.pooling_names  # an unknown one is refused
        if self.perturb_train and not self.perturb:
            raise ConfigError("perturb_train needs perturb; give the effects on the audio")
        if self.probe == "attentive" and self.pooling_names != ("mean",):
            raise ConfigError("probe 'attentive' learns its own pooling; drop pooling")
        if self.probe == "attentive" and "retrieval" in self.reading_names:
            raise ConfigError(
                "reading 'retrieval' needs one vector of a track, and probe 'attentive' reads "
                "many; use another probe"
            )
        subsets = self.train_sizes + self.shot_sizes
        if subsets and self.folds:
            raise ConfigError("train_tracks and shots need the splits of the data set; drop folds")
        if self.local_dir is not None and not is_url(self.cache_dir):
            raise ConfigError(
                f"local_dir is for a cache at an address, and '{self.cache_dir}' is a folder; drop "
                "one of them"
            )
        for name in _FROM_ONE:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1")

    def _complete_datasets(self) -> None:
        """Fill in the defaults of the fields on data sets, and refuse combinations of them."""
        sides = (self.train_dataset, self.test_dataset)
        if sides == (None, None):
            if self.test_tracks is not None:
                raise ConfigError("'test_tracks' needs 'train_dataset' and 'test_dataset'")
            if self.dataset is None:
                object.__setattr__(self, "dataset", DATASET)
            return
        if None in sides:
            raise ConfigError("'train_dataset' and 'test_dataset' go together; give both")
        if self.dataset is not None:
            raise ConfigError(
                "'dataset' excludes 'train_dataset' and 'test_dataset'; give either one data set "
                "or the two"
            )
        if self.test_tracks is None:
            object.__setattr__(self, "test_tracks", "all")

    @property
    def reading_names(self) -> tuple[str, ...]:
        """The names in `readings`, in the order of `READINGS`.

        Raises:
            ConfigError: one is unknown.
        """
        return _names("reading", self.readings or (), READINGS)

    @property
    def pooling_names(self) -> tuple[str, ...]:
        """The names in `pooling`, in the order of `POOLINGS`.

        Raises:
            ConfigError: one is unknown, or there is none.
        """
        names = _names("pooling", self.pooling, POOLINGS)
        if not names:
            raise ConfigError("'pooling' is empty; name at least one")
        return names

    @property
    def train_sizes(self) -> tuple[int, ...]:
        """The sizes in `train_tracks`, increasing, without `all`."""
        return _counts("train_tracks", self.train_tracks, ("all",))

    @property
    def shot_sizes(self) -> tuple[int, ...]:
        """The numbers in `shots`, increasing."""
        return _counts("shots", self.shots or ())

    @property
    def local_folder(self) -> Path:
        """The folder of generated audio, hashes and finished cells."""
        return self.local_dir or local_folder(self.cache_dir)

    @property
    def data(self) -> str:
        """The name of the data in tables: a specification, or `TRAIN -> TEST`."""
        return self.dataset or f"{self.train_dataset} -> {self.test_dataset}"


def _names(kind: str, given: str | tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    names = given.split(",") if isinstance(given, str) else given
    for name in names:
        if name not in known:
            raise ConfigError(f"unknown {kind} '{name}'; {nearest(name, known)}")
    return tuple(name for name in known if name in names)


def _counts(
    name: str, value: str | tuple[str, ...], others: tuple[str, ...] = ()
) -> tuple[int, ...]:
    """Numbers of tracks, increasing.

    Raises:
        ConfigError: a value is neither a whole number of at least 1 nor one of `others`.
    """
    texts = value.split(",") if isinstance(value, str) else value
    for text in texts:
        if text not in others and not (text.isdecimal() and int(text)):
            raise ConfigError(
                f"{name} is '{text}'; give whole numbers of at least 1"
                + "".join(f" or '{other}'" for other in others)
            )
    return tuple(sorted({int(text) for text in texts if text not in others}))


def make_config(values: Mapping[str, Any], origin: str = "") -> RunConfig:
    """A RunConfig from plain values; a single value is a list of one.

    Args:
        values: by name of the field, as YAML or Python has them.
        origin: begins every error message; names the file.

    Raises:
        ConfigError: a field is unknown (the message has the nearest known one) or of a wrong type,
            or `RunConfig` refuses the value.
    """
    hints = get_type_hints(RunConfig)
    try:
        for name in values:
            if name not in hints:
                raise ConfigError(f"unknown field '{name}'; {nearest(str(name), hints)}")
        return RunConfig(**{name: cast_field(name, values[name], hints[name]) for name in values})
    except ConfigError as error:
        raise ConfigError(f"{origin}{error}") from error
