"""Describe each page to search engines and to those who link it: description and Open Graph tags.

The description is the page's first paragraph; the card is an image beside it in the repository,
whose address is that of _config.yml.
"""

import re
from html import escape

from docutils import nodes

LONGEST = 200


def first_paragraph(doctree) -> str:
    """The text of the first paragraph that stands in a section, shortened at a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        in_table = isinstance(paragraph.parent, nodes.entry)
        if len(text) > 40 and not in_table:
            return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
    return ""


def describe(app, pagename, templatename, context, doctree) -> None:
    """Add the tags to a page made from a source."""
    if doctree is None:
        return
    options = app.config.html_theme_options
    repository, branch = options["repository_url"], options["repository_branch"]
    description = first_paragraph(doctree)
    properties = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": re.sub(r"<[^>]+>", "", context["title"]),
        "og:description": description,
        "og:image": f"{repository}/raw/{branch}/book/_static/card.png",
        "og:image:width": "1200",
        "og:image:height": "630",
    }
    tags = [f'<meta name="description" content="{escape(description)}"/>']
    tags.append('<meta name="twitter:card" content="summary_large_image"/>')
    tags += [f'<meta property="{k}" content="{escape(v)}"/>' for k, v in properties.items()]
    context["metatags"] = context.get("metatags", "") + "\n".join(tags) + "\n"


def setup(app) -> dict:
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
