"""Formulas are drawn by KaTeX, which lies beside the pages; without scripts their TeX is read."""

import re

from docutils import nodes
from sphinx.util.math import get_node_equation_number

STYLE, *SCRIPTS = "vendor/katex/katex.min.css", "vendor/katex/katex.min.js", "formulas.js"
CLASSES = "math notranslate nohighlight"
NUMBERED = re.compile(r"\\(begin|end)\{(equation|align|gather|alignat)\}")


def display(tex: str) -> str:
    """TeX of a displayed formula as KaTeX takes it: Sphinx alone numbers equations."""
    tex = NUMBERED.sub(r"\\\1{\2*}", tex.strip())
    return rf"\begin{{split}}{tex}\end{{split}}" if r"\\" in tex and r"\begin" not in tex else tex


def visit_inline(translator, node) -> None:
    """A formula within a line."""
    translator.body.append(translator.starttag(node, "span", "", CLASS=CLASSES))
    translator.body.append(translator.encode(node.astext().strip()) + "</span>")
    raise nodes.SkipNode


def visit_display(translator, node) -> None:
    """A formula on lines of its own, with its number where it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS=CLASSES))
    if node.get("number"):
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    tex = translator.encode(display(node.astext()))
    translator.body.append(f'<div class="tex">{tex}</div></div>\n')
    raise nodes.SkipNode


def load(app, pagename, templatename, context, doctree) -> None:
    """Pages with formulas load KaTeX, others do not."""
    if app.builder.format == "html" and app.env.get_domain("math").has_equations(pagename):
        app.add_css_file(STYLE)
        for script in SCRIPTS:
            app.add_js_file(script, defer="defer")


def setup(app) -> dict:
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_display, None))
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
