"""Mend what keeps a page from screen readers: corners of tables, roles, buttons without a name."""

import re

EMPTY_HEADER = re.compile(r"<th([^>]*)>\s*(?:<p>\s*</p>)?\s*</th>")


def mend(app, pagename, templatename, context, doctree) -> None:
    """An empty header is a plain cell, and what stands in a list is one of its items."""
    if "body" in context:
        body = EMPTY_HEADER.sub(r"<td\1></td>", context["body"])
        context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def name_buttons(app, pagename, templatename, context, doctree) -> None:
    """In the list of pages, say what the button does that opens the pages below another one."""
    listed = context.get("generate_toctree_html")

    def named(*arguments, **options):
        tree = listed(*arguments, **options)
        for button in [] if isinstance(tree, str) else tree("summary"):
            button["aria-label"] = "Pages below"
        return tree

    if listed is not None:
        context["generate_toctree_html"] = named


def setup(app) -> dict:
    app.connect("html-page-context", mend)
    app.connect("html-page-context", name_buttons, priority=900)  # after the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}
