"""What a command gives out: files, checked before the work and written together after it; words."""

import base64
import errno
import hashlib
import json
import math
import os
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from rvae_lite.publishing import expanded, printable, publish, recover


def check_outputs(*paths, inputs=(), force: bool = False) -> None:
    """Refuse results that cannot be written, before hours are spent on them.

    What a killed run had written whole, and not yet moved into place, is moved there first.

    Args:
        paths: of the results of one command.
        inputs: what it reads: no result may take the place of one.
        force: results that exist are replaced.

    Raises:
        FileExistsError: there is something at one of the paths already, and `force` is not given.
        OSError: its folder cannot be written, or a folder or another file is in the way.
        ValueError: a path is named twice, or is that of an input.
    """
    chosen = [expanded(path) for path in paths]
    finished = recover(chosen)
    for number, path in enumerate(chosen):
        try:
            _check_place(path)
        except OSError as error:
            if error.strerror and error.errno == errno.ENAMETOOLONG:
                raise OSError(error.errno, f"the name {path.name[:40]}... is too long") from None
            raise
        if any(_same(path, other) for other in chosen[:number]):
            remedy = "choose another path for one of them"
            raise ValueError(f"{path} is named for two results: {remedy}")
        if any(_same(path, read) for read in inputs if read is not None):
            remedy = "choose another path for the result"
            raise ValueError(f"{path} is read by this command: {remedy}")
        if os.path.lexists(path) and not force:
            done = " (a run that was killed had just finished it)" if path in finished else ""
            remedy = "choose another path, or force to replace it"
            raise FileExistsError(f"{path} is there already{done}: {remedy}")


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if os.path.lexists(path) and not path.is_file() and path.exists():
        raise FileExistsError(f"{path} is no ordinary file: choose another path")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    cannot, remedy = f"cannot write {path} ({above}", "choose another path"
    if not above.is_dir():
        raise NotADirectoryError(f"{cannot} is no folder): {remedy}")
    if not os.access(above, os.W_OK):
        raise PermissionError(f"{cannot} may not be written): {remedy}")


def _same(path: Path, other) -> bool:
    """Whether two paths lead to one file, whatever their spelling; book:NAME is no path."""
    other = expanded(other)
    if os.path.exists(path) and os.path.exists(other):  # JSON in place of a path is too long a name
        return os.path.samefile(path, other)
    return os.path.realpath(path) == os.path.realpath(other)  # even of links in a circle


def beside(path: Path, suffix: str) -> Path:
    """The path of a second result: NAME.npz becomes NAME + suffix, any other name keeps all."""
    return path.parent / (path.name.removesuffix(".npz") + suffix)


def publish_results(contents: dict, *, force: bool) -> list[Path]:
    """`publish` the results of a command, without an interrupt in between.

    What has appeared at one of the paths since the command began stays there; then the results
    get names of their own, and a warning says so.
    """
    with uninterrupted():
        paths = publish(contents, replace=force)
    for asked, path in zip(contents, paths, strict=True):
        if path != expanded(asked):
            warnings.warn(f"{asked} appeared meanwhile and stays: see {path}", stacklevel=2)
    return paths


@contextmanager
def uninterrupted():
    """Let an interrupt (SIGINT) wait until the block is done: all results appear, or none."""
    if threading.current_thread() is not threading.main_thread():
        yield  # interrupts go to the main thread alone
        return
    waiting = []
    before = signal.signal(signal.SIGINT, lambda *_: waiting.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        raise KeyboardInterrupt


def rendered(name: str, *, script: str = "", filters: dict | None = None, **values) -> str:
    """A template of this folder, filled in; in one of HTML every value is escaped.

    script: a file of this folder that becomes part of the page, the only one that may run there.
    """
    from jinja2 import Environment, FunctionLoader

    html = name.endswith(".html.j2")
    options = dict(autoescape=html, trim_blocks=True, lstrip_blocks=True)
    environment = Environment(loader=FunctionLoader(_read), **options)
    environment.filters |= dict(g=_digits, percent=_percent, **(filters or {}))
    if html:
        code = _read(script) if script else ""
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        values |= dict(style=_read("page.css"), script=code, digest=digest)
    return environment.get_template(name).render(**values).strip() + "\n"


def _read(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _digits(value: float, digits: int = 6) -> str:
    return f"{value:.{digits}g}"


def _percent(share: float | None, digits: int) -> str:
    return "—" if share is None else f"{100 * share:.{digits}g} %"


def in_words(command: str, result: dict) -> str:
    """What a command, distil or train, says of its result: a few lines."""
    return rendered(f"{command}.txt.j2", result=printable(result)).strip()


def bar_label(progress: bool | None, label: str) -> str | bool:
    """The label of a bar, by default on a terminal alone; False where none is wanted."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    return label if progress or (progress is None and on_terminal) else False


def say(result: dict, text: str, output) -> None:
    """Print a command's result: the text, or JSON where `options.Output` asks for it."""
    print(as_json(result) if output.json else text, flush=True)


def as_json(value) -> str:
    """JSON of dictionaries, lists and numbers; NaN and infinities become null."""
    return json.dumps(_plain(value), indent=2)


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
