"""Leave out scripts that the pages do not need.

Thebe's point to another server, and the book has no live cells. FontAwesome's, 1.5 MB, draws icons
that the theme's style sheet draws from a font as well.
"""

from pathlib import Path


def live(file) -> bool:
    """Does a style sheet or script, linked or inline, belong to thebe?"""
    return "thebe" in f"{file} {getattr(file, 'attributes', '')}"


def drop(app, pagename, templatename, context, doctree) -> None:
    """Remove thebe's style sheet and scripts from a page."""
    for kind in ("css_files", "script_files"):
        if kind in context:
            context[kind] = [file for file in context[kind] if not live(file)]


def empty(app, exception) -> None:
    """Empty FontAwesome's script, which the theme's template names on every page."""
    script = Path(app.outdir) / "_static" / "scripts" / "fontawesome.js"
    if app.builder.format == "html" and script.exists():
        script.write_text("// Icons come from the font that the theme's style sheet names.\n")


def setup(app) -> dict:
    app.connect("html-page-context", drop, priority=900)
    app.connect("build-finished", empty)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
