"""Settings of spectrograms as options of a command, a JSON file or a Rosetta file's header."""

from pathlib import Path
from typing import Annotated, NamedTuple

from rvae_lite.lab.options import read_preprocessing
from rvae_lite.lab.plan import Choice

PAIRS, WORDS = ("percentiles", "log_range"), ("axis", "time")


class Settings(NamedTuple):
    """How a syllable becomes an image; what is None is as in `SpectrogramSpec`."""

    spec: Annotated[
        str | None,
        Choice("Settings as JSON, a .json file, or those of a Rosetta file, .npz, or of an .h5."),
    ] = None
    sample_rate: Annotated[int | None, Choice("Hz; others are resampled; by default 32000.")] = None
    window: Annotated[int | None, Choice("Of the transform, samples; by default 512.")] = None
    hop: Annotated[int | None, Choice("From window to window, samples; by default 256.")] = None
    min_freq: Annotated[float | None, Choice("Hz, first row; by default 400.")] = None
    max_freq: Annotated[float | None, Choice("Hz, last row; by default 10000.")] = None
    num_freqs: Annotated[int | None, Choice("Rows; by default 128.")] = None
    num_times: Annotated[int | None, Choice("Columns; by default 128.")] = None
    axis: Annotated[str | None, Choice("mel or linear rows; by default mel.")] = None
    time: Annotated[
        str | None, Choice("stretch short syllables, or pad them; by default stretch.")
    ] = None
    max_duration: Annotated[
        float | None, Choice("Seconds, the longest syllable; by default 0.35.")
    ] = None
    percentiles: Annotated[
        str | None, Choice("Of each animal's pixels, that become 0 and 1; by default 25,99.5.")
    ] = None
    log_range: Annotated[
        str | None, Choice("Log-amplitudes that become 0 and 1 for all animals, such as 2,6.5.")
    ] = None


def given_settings(settings: Settings) -> dict:
    """What was said of the settings, by options and file together; neither may contradict.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: damaged JSON, a setting of another kind, a contradiction.
    """
    told = {} if settings.spec is None else _from_file(settings.spec)
    for name, value in settings._asdict().items():
        if name == "spec" or value is None:
            continue
        option = f"--{name.replace('_', '-')}"
        value = _pair(option, value) if name in PAIRS else value
        if told.setdefault(name, value) != value:
            wrong = f"{option} {_plain(value)} contradicts {settings.spec} ({_plain(told[name])})"
            raise ValueError(f"{wrong}: leave one of them out")
    return told


def spec_of(given: dict):
    """The `SpectrogramSpec` of some settings, the others as by default.

    Raises:
        ValueError: an unknown setting, or one of another kind or out of range.
    """
    from rvae_lite.arrays import is_number
    from rvae_lite.birdsong.spectrograms import DEFAULT, SpectrogramSpec, check_spec

    given = {name: value for name, value in given.items() if name != "normalisation"}
    if unknown := sorted(set(given) - set(DEFAULT._fields)):
        known = ", ".join(DEFAULT._fields)
        raise ValueError(f"{unknown[0]!r} is no setting of a spectrogram: use {known}")
    for name, value in given.items():
        expected, right = "a number", is_number(value)
        if name in WORDS:
            expected, right = "a word", isinstance(value, str)
        elif name in PAIRS:
            expected, right = "two numbers", isinstance(value, list) and len(value) == 2
            right = right and all(map(is_number, value))
            right = right or (name == "log_range" and value is None)
        if not right:
            raise ValueError(f"{name} must be {expected}, not {value!r}: correct it")
    spec = SpectrogramSpec.from_dict({**DEFAULT.as_dict(), **given})
    check_spec(spec)
    return spec


def _from_file(text: str) -> dict:
    suffix = Path(text).suffix.lower()
    if suffix == ".npz":
        from rvae_lite.rosetta import RosettaPoints

        found = RosettaPoints.load(text).header.get("preprocessing")
    elif suffix in (".h5", ".hdf5"):
        from rvae_lite.birdsong.ava import read_file

        syllables = read_file(text)
        found = None if syllables is None else syllables.info.get("preprocessing")
    else:
        found = read_preprocessing(text, "--spec")
    if not isinstance(found, dict):
        wrong = f"{text} holds no settings of spectrograms"
        raise ValueError(f'{wrong}: pass JSON such as {{"num_freqs": 64}}, or options')
    return {name: value for name, value in found.items() if name != "normalisation"}


def _pair(option: str, text: str) -> list[float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"{option} must be two numbers, LOW,HIGH, not {text!r}") from error
    return [low, high]


def _plain(value) -> str:
    return ",".join(f"{part:g}" for part in value) if isinstance(value, list) else str(value)
