"""The time that a page takes to read, by its words and its lines of code.

The role {reading}`half a minute to run` becomes "12 minutes to read, half a minute to run".
"""

import re

from docutils import nodes

WORDS_A_MINUTE = 200
LINES_A_MINUTE = 30  # of code that is shown


class pending_minutes(nodes.inline):
    """Where the minutes go when the whole page is read."""


def role(name, rawtext, text, lineno, inliner, options=None, content=()):
    return [pending_minutes(rawtext, text)], []


def minutes(doctree) -> int:
    """Minutes to read a page: its text, and the code of its cells but for folded ones."""
    code = [block for block in doctree.findall(nodes.literal_block) if not folded(block)]
    shown = [text for text in doctree.findall(nodes.Text) if not within_code(text)]
    words = sum(len(re.findall(r"\w+", text.astext())) for text in shown)
    lines = sum(block.astext().count("\n") + 1 for block in code)
    return max(1, round(words / WORDS_A_MINUTE + lines / LINES_A_MINUTE))


def within_code(node) -> bool:
    return isinstance(node.parent, (nodes.literal_block, nodes.math_block, nodes.raw))


def folded(block) -> bool:
    """Whether a cell's code is hidden until it is asked for."""
    while block is not None:
        if any(name.startswith(("tag_hide", "tag_remove")) for name in block.get("classes", ())):
            return True
        block = block.parent
    return False


def fill(app, doctree) -> None:
    """Write the minutes into the page."""
    found = list(doctree.findall(pending_minutes))
    if not found:
        return
    number = minutes(doctree)
    for node in found:
        text = f"{number} minute{'s' if number > 1 else ''} to read, {node.astext()}"
        node.replace_self(nodes.inline("", text, classes=["reading"]))


def setup(app) -> dict:
    app.add_role("reading", role)
    app.connect("doctree-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
