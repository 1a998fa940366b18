"""Make the matrix of what is reproduced, an item for each claim of the two papers.

The items stand in book/reproduced.yml.  Their scales, verdicts and minutes are read from the
committed tables and the studies' declarations whenever the page is read.
"""

import ast
import functools
import json
import re
from collections import Counter
from pathlib import Path

import evidence
import yaml

HERE = Path(__file__).resolve().parents[1]
ITEMS = HERE / "reproduced.yml"
NOTEBOOKS = HERE.parent / "notebooks"
MARK = re.compile(r"<!-- matrix: (\w+) -->")
HEAD = ["chapter and command", "data and scale: ours, theirs", "direction", "size"]
HEAD += ["minutes, machine"]
WIDTHS = "20 20 27 11 11 11"


def papers() -> dict:
    """The papers' items as they are declared."""
    return yaml.safe_load(ITEMS.read_text(encoding="utf-8"))


def chapter_cells(notebook: str) -> list[dict]:
    """The cells of a chapter."""
    return json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]


def label_of(notebook: str) -> str:
    """The label of a chapter, for example "which-points"."""
    return re.match(r"\(([\w-]+)\)=", "".join(chapter_cells(notebook)[0]["source"]))[1]


def minutes_of(notebook: str) -> str:
    """How long a chapter runs, as the page says of itself."""
    text = "\n".join("".join(cell["source"]) for cell in chapter_cells(notebook))
    return re.search(r"\*\*Time\.\*\*.*?[,`] ?([^,`]*?) to run", text)[1]


def parameters_of(notebook: str) -> dict:
    """The parameters that a chapter runs with: name -> value."""
    tagged = (c for c in chapter_cells(notebook) if "parameters" in c["metadata"].get("tags", []))
    lines = ast.parse("".join(next(tagged)["source"])).body
    return {line.targets[0].id: ast.literal_eval(line.value) for line in lines}


# ---------------------------------------------------------------- verdicts


def summary(paper: dict) -> str:
    """All verdicts of a paper, a sentence for each kind."""
    words, sizes = Counter(), Counter()
    for item in paper["items"].values():
        for row in item.get("rows", []):
            if "study" in row:
                more, sized = evidence.verdicts(row)
                words.update(more)
                sizes.update(sized)
    kinds = {
        "differences from a baseline": {"same": "on the paper's side", "opposite": "opposite"},
        "statements": {"agrees": "agree", "mixed": "hold in part", "differs": "differ"},
        "comparisons of reconstruction": {word: word for word in ("as well", "better", "worse")},
    }
    told = [sentence(name, words, named) for name, named in kinds.items()]
    named = {"agrees": "agree", "smaller": "smaller here", "larger": "larger here"}
    told.insert(1, sentence("sizes that compare", sizes, named))
    return "\n".join(filter(None, told))


def sentence(name: str, words: Counter, named: dict) -> str:
    """How often each of some words was said, as a sentence; empty where none was."""
    total = sum(words[word] for word in named)
    parts = [f"{words[word]} {told}" for word, told in named.items() if words[word]]
    return f"* Of {total} {name}: {', '.join(parts)}." if total else ""


# ---------------------------------------------------------------- rows and cells


def reference(notebook: str) -> str:
    """A link to a chapter by its name."""
    label = label_of(notebook)
    return f"{{ref}}`{label.replace('-', ' ')} <{label}>`"


def links_of(row: dict) -> list[str]:
    """Links to the chapters of a row."""
    from rvae_lite.studies.study import find_study

    if "study" in row:
        return [reference(name) for name in find_study(row["study"]).chapter.split()]
    return [reference(row["notebook"])] if "notebook" in row else []


def profile_of(study, own) -> str:
    """The profile that made a study's rows: one whose minutes are known, else that of the first."""
    known = [profile for profile in study.minutes if profile in set(own.profile)]
    return known[0] if known else own.profile.iloc[0]


def known_scales(row: dict) -> list[str]:
    """Each data set of a study's committed rows with its scale."""
    from rvae_lite.studies.study import find_study

    study, own = find_study(row["study"]), evidence.results(row)
    found = evidence.scales_of(own, **evidence.declared(study, profile_of(study, own)))
    return [f"{data}: {text}" if text else data for data, text in found.items()]


def study_cells(row: dict) -> dict[str, list[str]]:
    """What the committed table and the declaration of a study say."""
    from rvae_lite.studies.study import find_study

    study, own = find_study(row["study"]), evidence.results(row)
    profile, minutes = profile_of(study, own), "not measured, CPU"
    if profile in study.minutes:
        minutes = f"{study.minutes[profile]} min, one core of a CPU"
    directions, sizes = evidence.verdicts(row)
    scales = known_scales(row)
    return dict(
        chapter=[
            ", ".join(links_of(row)),
            f"`rvae-lite study {study.name} --profile {profile}`",
        ],
        scale=[f"ours: {scales[0]}", *scales[1:]],
        direction=[evidence.counted(directions, evidence.WORDS)],
        size=[evidence.counted(sizes, evidence.SIZES)],
        minutes=[minutes],
    )


def notebook_cells(row: dict) -> dict[str, list[str]]:
    """What the parameters and the opening of a chapter without a table of its own say."""
    chosen = parameters_of(row["notebook"])
    names = dict(num_examples="examples", epochs="epochs", replicas="runs")
    names |= dict(width="width", network="network")
    counts = {name: chosen[key] for key, name in names.items() if chosen.get(key)}
    data = row.get("data") or chosen["dataset"].replace("_", " ")
    return dict(
        chapter=[reference(row["notebook"]), f"`make run NB={row['notebook']}`"],
        scale=[f"ours: {data}: {evidence.scale(counts)}"],
        direction=["in the chapter"],
        size=["—"],
        minutes=[f"{minutes_of(row['notebook'])}, CPU"],
    )


def cells(row: dict, paper: dict) -> list[list[str]]:
    """The cells of a row but the first: paragraphs of Markdown each."""
    if "absent" in row:
        return [["—"], [f"**absent:** {row['absent']}"], ["—"], ["—"], ["—"]]
    found = study_cells(row) if "study" in row else notebook_cells(row)
    if "theirs" in row:
        found["scale"].append(f"theirs: {evidence.scale(paper['scales'][row['theirs']])}")
    if "note" in row:
        found["scale"].append(f"*{row['note']}*")
    return list(found.values())


def rows_of(where: str, item: dict, paper: dict) -> list[list[list[str]]]:
    """The rows of an item, a list of cells each; a cell is a list of paragraphs."""
    first = [f"**{where}**", item["claim"]]
    if "see" in item:
        shared = paper["items"][item["see"]]["rows"]
        links = dict.fromkeys(link for row in shared for link in links_of(row))
        return [[first, [", ".join(links)], [f"as {item['see']}"], ["—"], ["—"], ["—"]]]
    rows = item.get("rows") or [dict(absent=item["absent"])]
    found = [[first, *cells(row, paper)] for row in rows]
    for row in found[1:]:
        row[0] = [f"**{where}**"]
    return found


def list_table(head: list[str], rows: list[list[list[str]]], *, widths: str, named: str) -> str:
    """Rows of cells of paragraphs as a list table of MyST with a head, of the class `named`."""
    lines = ["```{list-table}", ":header-rows: 1", f":class: {named}", f":widths: {widths}", ""]
    for row in [[[name] for name in head], *rows]:
        for start, cell in zip(["* -", *["  -"] * (len(head) - 1)], row, strict=True):
            text = "\n\n    ".join(cell)
            lines.append(f"{start} {text}")
    return "\n".join([*lines, "```"])


def table(rows: list[list[list[str]]], first: str = "in the paper") -> str:
    """Rows of the matrix as a table whose first column has this name."""
    return list_table([first, *HEAD], rows, widths=WIDTHS, named="matrix")


def kinds(items: dict) -> dict[str, dict]:
    """The items of a paper by kind, in the order of the page."""
    found = {"Tables": {}, "Figures": {}, "Sections, theorems and appendices": {}}
    for where, item in items.items():
        kind = f"{where.split()[0]}s"
        found[kind if kind in found else "Sections, theorems and appendices"][where] = item
    return {kind: chosen for kind, chosen in found.items() if chosen}


def of_paper(name: str) -> str:
    """The matrix of one paper as Markdown: its verdicts in sentences, then a table a kind."""
    paper = papers()[name]
    parts = [summary(paper), f"The paper's machine: {paper['machine']}."]
    for kind, items in kinds(paper["items"]).items():
        rows = [row for where, item in items.items() for row in rows_of(where, item, paper)]
        parts += [f"### {kind} of the {paper['name']} paper", table(rows)]
    return "\n\n".join(parts)


def named_studies() -> set[str]:
    """The studies that items of a paper name."""
    return {row["study"] for _, row in _rows_of_papers()}


def of_nobody() -> str:
    """The studies that no paper has, as a table."""
    from rvae_lite.studies.study import all_studies

    rows = []
    for study in all_studies():
        if study.name not in named_studies():
            first = [study.reproduces.removesuffix(" (new)")]
            rows.append([first, *cells(dict(study=study.name), {})])
    return table(rows, "what it asks")


def of_scales() -> str:
    """What the verdicts of a smaller scale have become, a row for each item that has both."""
    rows, totals = [], [Counter(), Counter()]
    for where, row in _rows_of_papers():
        tables = evidence.judged(row, smaller=True), evidence.judged(row)
        if tables[0] is None:
            continue
        said = [
            compared(*map(evidence.said_of, tables), evidence.WORDS),
            compared(*map(evidence.sizes_of, tables), evidence.SIZES),
        ]
        for total, (_, changed) in zip(totals, said, strict=True):
            total.update(changed)
        data, before = next(iter(evidence.scales_of(evidence.smaller_results(row)).items()))
        larger = evidence.scales_of(evidence.results(row))[data]
        item = [f"**{where}**", ", ".join(links_of(row))]
        scales = [f"before: {data}: {before}", f"now: {larger}"]
        rows.append([item, scales, *(texts for texts, _ in said)])
    sides, sizes = totals
    told = f"Of {sides.total()} directions and verdicts that both scales have, "
    told += f"{sides[True]} changed; of {sizes.total()} sizes, {sizes[True]}."
    head = ["in the paper", "scale", "direction", "size"]
    return f"{told}\n\n{list_table(head, rows, widths='20 32 24 24', named='cards scales')}"


def compared(then, now, known: list) -> tuple[list[str], list[bool]]:
    """The known words of both scales as paragraphs, and which of those that both have changed."""
    then, now = (said[said != evidence.NO_SIDE] for said in (then, now))
    both = then.index.intersection(now.index)
    changed = (then[both] != now[both]).tolist()
    if not changed:
        return ["—"], []
    texts = [evidence.counted(Counter(said), known) for said in (then, now)]
    count = f"changed: {sum(changed)} of {len(changed)}"
    return [f"before: {texts[0]}", f"now: {texts[1]}", count], changed


def of_missing() -> str:
    """The runs at the papers' scale that have not been made, a line each."""
    lines = []
    for paper in papers().values():
        for row in paper["missing"]:
            ours = "; ".join(known_scales(row))
            command = f"`rvae-lite study {row['study']} --profile paper`"
            lines.append(f"* {', '.join(links_of(row))}: {row['lacks']}. Ours: {ours}. {command}")
    return "\n".join(lines)


def _rows_of_papers() -> list[tuple[str, dict]]:
    """Every item of both papers with each of its rows that has a study."""
    items = [pair for paper in papers().values() for pair in paper["items"].items()]
    rows = [(where, row) for where, item in items for row in item.get("rows", [])]
    return [(where, row) for where, row in rows if "study" in row]


def matrix(name: str) -> str:
    """What stands in the place of a mark: a paper's matrix, or one of the other lists."""
    lists = dict(new=of_nobody, scales=of_scales, missing=of_missing)
    return lists.get(name, functools.partial(of_paper, name))()


def fill(app, docname, source) -> None:
    """Put the matrices in the places of their marks, and read the page again when they change."""
    if not MARK.search(source[0]):
        return
    from rvae_lite.studies.study import FOLDER, results_folder

    made_of = [*results_folder().glob("*.csv"), *FOLDER.glob("*.py"), *NOTEBOOKS.glob("*.ipynb")]
    for path in [ITEMS, Path(__file__), Path(evidence.__file__), *made_of]:
        app.env.note_dependency(str(path))
    source[0] = MARK.sub(lambda found: matrix(found[1]), source[0])


def setup(app) -> dict:
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
