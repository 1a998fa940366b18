"""Scripts and extensions outside the package, as modules."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Tools import one another, and so do Sphinx extensions, as they do when they are run.
sys.path += [str(ROOT / "tools"), str(ROOT / "book" / "_ext")]


def load_file(path):
    """The module of a Python file, named from the repository's root."""
    spec = spec_from_file_location(path.replace("/", "_").removesuffix(".py"), ROOT / path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
