"""What a real browser finds on pages that a loopback server hands out."""

import http.server
import re
import threading
from functools import partial
from importlib.resources import files
from urllib.parse import unquote, urlsplit

WIDTHS, THEMES = (400, 1400), ("light", "dark")
# The sandbox needs rights that a container lacks; the others keep the browser off the network.
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
SWITCHES += ["--disable-background-networking", "--disable-component-update"]
BAD = {"serious", "critical"}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# The theme sets what scrolls, and so takes the keyboard's focus, a moment after a new width.
SETTLING = 400
# Elements that scroll and that keys do not reach of themselves.
SCROLLING = """() => [...document.body.querySelectorAll("*:not(.katex *)")].filter(element =>
    element.tabIndex < 0 && (element.scrollWidth > element.clientWidth
        || element.scrollHeight > element.clientHeight)
    && !element.querySelector("a, button, input, [tabindex='0']")
    && /auto|scroll/.test(getComputedStyle(element).overflow)).length"""
STILL = "*, ::before, ::after { transition: none !important; animation: none !important; }"
RULES = dict(rules={"color-contrast": dict(enabled=False)})
# The drawing that each figure of a notebook shows, and the width it has for it.
FIGURES = """() => [...document.querySelectorAll(".on-light")].map(picture =>
    [(picture.querySelector("source")?.srcset ?? picture.querySelector("img").src),
     picture.parentElement.clientWidth])"""
LETTERS = re.compile(r'<g style="fill[^"]*" transform="[^"]*scale\(([\d.]+) -')
SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)pt"')
EAGER = """() => Promise.all([...document.querySelectorAll("img:not(.on-dark img)")].map(image => {
    image.loading = "eager";
    return image.decode().catch(() => null);
}))"""
AXE = """([rules, colours]) => axe.run(colours ? window.coloured : document,
    {resultTypes: ["violations"], preload: false, ...rules}).then(found =>
    found.violations.flatMap(rule => rule.nodes.map(node =>
        [rule.id, rule.impact, node.target.join(" "), node.failureSummary])))"""
# Axe takes a while for each element: after their colours, what only colours code goes, and then
# the drawings of formulas, which screen readers do not see.
UNCOLOUR = """document.querySelectorAll("pre, dt.sig > *").forEach(code => {
    if (!code.matches("a") && !code.querySelector("a")) code.textContent = code.textContent;
})"""
UNDRAW = 'document.querySelectorAll(".katex-html").forEach(drawing => drawing.remove())'
# Contrast is slow to check, and depends on these alone: one text of each kind is enough, and at
# another width those texts that did not show before.
KINDS = """(again) => {
    const shown = window.shown ??= new Set();
    const ground = new Map([[null, "none"]]), kinds = {};
    const below = (element) => {
        if (!ground.has(element)) {
            const {backgroundColor, backgroundImage, opacity} = getComputedStyle(element);
            const clear = backgroundColor == "rgba(0, 0, 0, 0)" && backgroundImage == "none";
            const own = clear && opacity == 1 ? "" : [backgroundColor, backgroundImage, opacity];
            const opaque = backgroundColor.startsWith("rgb(") && opacity == 1;
            ground.set(element, own + (opaque ? "" : below(element.parentElement)));
        }
        return ground.get(element);
    };
    for (const element of document.body.querySelectorAll("*:not(.katex *), .katex-html")) {
        const text = element.matches(".katex-html")
            || [...element.childNodes].some(n => n.nodeType == 3 && n.data.trim());
        if (!text || again && shown.has(element)) continue;
        if (!element.checkVisibility({visibilityProperty: true})) continue;
        if (!again) shown.add(element);
        const {color, fontSize, fontWeight} = getComputedStyle(element);
        kinds[[color, fontSize, fontWeight, below(element)]] ??= element;
    }
    window.kinds = kinds;
    return Object.keys(kinds);
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass


def serve(folder):
    """A server of a folder's files on this machine: (server, its address)."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}/"


class Survey:
    """Findings on the pages of a folder, each loaded once and then seen in every theme and width.

    Attributes:
        console: errors of scripts and what a console printed as such.
        elsewhere: requests to other hosts.
        overflow: pages wider than the window.
        axe: findings of axe-core, "rule impact page ...".
        formulas: formulas that KaTeX could not draw, or did not.
        labels: the smallest letters of each figure on a telephone, pixels: (page, file, size).
        weights: page -> bytes of all files that it loads, as far down as it goes.
    """

    def __init__(self, browser, folder, address):
        self.folder, self.address = folder, address
        self.console, self.elsewhere, self.overflow, self.axe, self.formulas = [], [], [], [], []
        self.weights, self.labels, self.known = {}, [], set()
        self.script = files("axe_playwright_python").joinpath("axe.min.js").read_text()
        self.page = browser.new_page()
        self.name, self.requested = "", set()
        self.page.on("request", lambda request: self.requested.add(request.url))
        self.page.on("pageerror", lambda error: self.console.append(f"{self.name}: {error}"))
        self.page.on("console", self.listen)

    def listen(self, message):
        """Keep errors that the page prints."""
        if message.type == "error":
            self.console.append(f"{self.name}: {message.text} {message.location.get('url', '')}")

    def serious(self):
        """Axe's findings that keep somebody from reading."""
        return [finding for finding in self.axe if BAD & set(finding)]

    def empty_headers(self):
        """Headers of tables that say nothing."""
        return [finding for finding in self.axe if "empty-table-header" in finding]

    def visit(self, name):
        """Load a page and look at it."""
        self.name, page = name, self.page
        self.requested.clear()
        page.set_viewport_size(dict(width=WIDTHS[0], height=900))
        page.goto(self.address + name)
        page.evaluate("document.fonts.ready.then(() => null)")
        page.evaluate(EAGER)
        self.weigh()
        self.find_formulas()
        page.add_style_tag(content=STILL)
        page.evaluate(self.script)
        narrow, wide = WIDTHS
        self.look(narrow)
        self.measure_labels()
        page.evaluate(UNCOLOUR)
        if page.evaluate(SCROLLING):
            self.check(dict(runOnly=["scrollable-region-focusable"]), narrow)
        page.set_viewport_size(dict(width=wide, height=900))
        page.wait_for_timeout(SETTLING)
        self.look(wide)
        page.evaluate(UNDRAW)
        self.check(RULES, wide)

    def look(self, width):
        """At one width: does the page fit, can its texts be read in both themes?"""
        if (excess := self.page.evaluate(OVERFLOW)) > 0:
            self.overflow.append(f"{self.name}: {excess} px at {width} px")
        for theme in THEMES:
            self.page.emulate_media(color_scheme=theme)
            self.check_colours(width, theme)

    def weigh(self):
        """Add up the files of this machine that were asked for, and note all others."""
        ours = {url for url in self.requested if url.startswith(self.address)}
        paths = {self.folder / unquote(urlsplit(url).path)[1:] for url in ours}
        self.weights[self.name] = sum(path.stat().st_size for path in paths if path.is_file())
        others = {url for url in self.requested - ours if not url.startswith("data:")}
        self.elsewhere += [f"{self.name}: {url}" for url in sorted(others)]

    def measure_labels(self):
        """Note the size of the smallest letters of each figure, exponents aside."""
        for address, room in self.page.evaluate(FIGURES):
            if address.endswith(".svg"):
                svg = (self.folder / self.name).parent.joinpath(address).read_text()
                wide = float(SIZE.search(svg).group(1)) * 4 / 3
                letters = [float(scale) * 100 * 4 / 3 for scale in LETTERS.findall(svg)]
                size = min(letters, default=99) * min(1, room / wide)
                self.labels.append((self.name, address, size))

    def find_formulas(self):
        """Note formulas that are not drawn."""
        wrong = ".katex-error, span.math:not(:has(.katex)), div.math:not(:has(.katex))"
        texts = self.page.locator(wrong).all_text_contents()
        self.formulas += [f"{self.name}: {text}" for text in texts]

    def check(self, rules, *where, colours=False):
        """Run axe-core on the page."""
        for finding in self.page.evaluate(AXE, [rules, colours]):
            self.axe.append((self.name, *where, *finding))

    def check_colours(self, *where):
        """Run its rule of contrast on one text of each kind that was not seen before."""
        new = set(self.page.evaluate(KINDS, where[0] != WIDTHS[0])) - self.known
        if new:
            self.known |= new
            self.page.evaluate("keys => window.coloured = keys.map(key => kinds[key])", list(new))
            self.check(dict(runOnly=["color-contrast"]), *where, colours=True)
