"""Leave out thebe, the one script that points to another server: the book has no live cells."""


def live(file) -> bool:
    """Does a style sheet or script, linked or inline, belong to thebe?"""
    return "thebe" in f"{file} {getattr(file, 'attributes', '')}"


def drop(app, pagename, templatename, context, doctree) -> None:
    """Remove thebe's style sheet and scripts from a page."""
    for kind in ("css_files", "script_files"):
        if kind in context:
            context[kind] = [file for file in context[kind] if not live(file)]


def setup(app) -> dict:
    app.connect("html-page-context", drop, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
