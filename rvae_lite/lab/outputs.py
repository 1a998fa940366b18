"""What a command gives out: files, checked before the work and written together after it; words."""

import json
import math
import os
import signal
import threading
from contextlib import contextmanager
from importlib import resources
from pathlib import Path


def check_outputs(*paths, force: bool = False) -> None:
    """Refuse results that cannot be written, before hours are spent on them.

    Raises:
        FileExistsError: there is something at one of the paths already, and `force` is not given.
        OSError: its folder cannot be written, or a folder or another file is in the way.
        ValueError: a path is named twice.
    """
    chosen = [Path(path) for path in paths]
    for path in chosen:
        above = next(folder for folder in path.absolute().parents if folder.exists())
        if chosen.count(path) > 1:
            remedy = "choose another path for one of them"
            raise ValueError(f"{path} is named for two results: {remedy}")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder: name a file in it")
        if path.exists() and not force:
            remedy = "choose another path, or force to replace it"
            raise FileExistsError(f"{path} is there already: {remedy}")
        cannot, remedy = f"cannot write {path} ({above}", "choose another path"
        if not above.is_dir():
            raise NotADirectoryError(f"{cannot} is no folder): {remedy}")
        if not os.access(above, os.W_OK):
            raise PermissionError(f"{cannot} may not be written): {remedy}")


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


def rendered(name: str, *, filters: dict | None = None, **values) -> str:
    """A template of this folder, filled in; in one of HTML every value is escaped."""
    from jinja2 import Environment, FunctionLoader

    html = name.endswith(".html.j2")
    options = dict(autoescape=html, trim_blocks=True, lstrip_blocks=True)
    environment = Environment(loader=FunctionLoader(_read), **options)
    environment.filters |= dict(g=_digits, percent=_percent, **(filters or {}))
    style = _read("page.css") if html else ""
    return environment.get_template(name).render(style=style, **values).strip() + "\n"


def _read(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _digits(value: float, digits: int = 6) -> str:
    return f"{value:.{digits}g}"


def _percent(share: float | None, digits: int) -> str:
    return "—" if share is None else f"{100 * share:.{digits}g} %"


def in_words(command: str, result: dict) -> str:
    """What a command, distil or train, says of its result: a few lines."""
    return rendered(f"{command}.txt.j2", result=result).strip()


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
