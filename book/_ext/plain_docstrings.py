"""Let docstrings be plain text: `name` is code, and *data or |x| need no escapes.

The API page reads docstrings as reStructuredText, where a lone * or | opens markup.
This extension escapes both, outside code, and doubles single backticks, before napoleon reads
the sections.
"""

import re

CODE = re.compile(r"(``.*?``|:[\w:]+:`[^`]*`|`[^`]*`)")
MARKUP = re.compile(r"([*|]|(?<=\w)_(?!\w))")
EMPHASIS = re.compile(r"(?<![\w*])(\*[A-Za-z][^*\n]*?[A-Za-z.]\*)(?![\w*])")

inline: dict[str, list[str]] = {}


def plain(text: str) -> str:
    """One line of a docstring as reStructuredText."""
    text = re.sub(r"^(\s*\w+: )([A-Z]\.)", r"\1\\\2", text)  # "latent_dim: K." is no enumeration
    parts = CODE.split(text)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            pieces = EMPHASIS.split(part)
            parts[i] = "".join(p if j % 2 else MARKUP.sub(r"\\\1", p) for j, p in enumerate(pieces))
        elif part.startswith("`") and not part.startswith("``"):
            parts[i] = f"`{part}`"
    return "".join(parts)


def process(app, what, name, obj, options, lines) -> None:
    """Rewrite a docstring's lines in place; literal blocks, after a line ending in ::, stay."""
    literal = None
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indent <= literal:
            literal = None
        if literal is None and not line.lstrip().startswith(">>>"):
            literal = indent if line.rstrip().endswith("::") else None
            lines[i] = plain(line)
    if what in ("attribute", "property"):
        inline[name] = list(lines)


def restore(app, what, name, obj, options, lines) -> None:
    """Undo what napoleon did to a property: it takes the words before a colon for a type."""
    if name in inline:
        lines[:] = inline.pop(name)


def skip(app, what, name, obj, would_skip, options) -> bool | None:
    """Leave out a named tuple's fields, which its own docstring describes."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field number") else None


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", process, priority=100)
    app.connect("autodoc-process-docstring", restore, priority=900)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}
