"""Put the explorer's data beside its page as a script: pages on a disk can load no JSON."""

import json
from pathlib import Path

from sphinx.errors import ExtensionError

NAME = Path("book", "_static", "explorer.json")


def write(app, error) -> None:
    """Write _static/explorer_data.js, which hands the JSON to explorer.js."""
    if error or app.builder.format != "html":
        return
    try:
        content = json.loads(Path(app.srcdir, NAME).read_text(encoding="utf-8"))
        if content["kind"] != "explorer":
            raise ValueError("it is of another kind")
    except (OSError, ValueError, TypeError, KeyError) as problem:
        remedy = "make it with: python tools/explorer.py"
        raise ExtensionError(f"{NAME} cannot be read ({problem}): {remedy}") from problem
    text = f"window.explorerData = {json.dumps(content, separators=(',', ':'))};\n"
    Path(app.outdir, "_static", "explorer_data.js").write_text(text, encoding="utf-8")


def setup(app) -> dict:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
