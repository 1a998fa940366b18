"""Order what the search finds by book/_static/scorer.js, from whatever folder the book is built."""

from pathlib import Path

SCORER = Path(__file__).resolve().parents[1] / "_static" / "scorer.js"


def setup(app) -> dict:
    app.connect(
        "config-inited", lambda _, config: setattr(config, "html_search_scorer", str(SCORER))
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
