"""What the committed tables say of a row of the matrix: their rows, scales and verdicts."""

import functools
import importlib
import json
from collections import Counter
from fractions import Fraction

COUNTED = {"num_data": "examples", "epochs": "epochs", "steps": "steps", "replicas": "runs"}
COUNTED |= {"template": "templates", "width": "width", "side": "side"}
PLAIN_WORDS = {"mlp": "fully connected"}
# What a verdict may be, in the order in which a cell lists them.
WORDS = ["same", "opposite", "agrees", "mixed", "differs", "as well", "better", "worse"]
SIZES = ["agrees", "smaller", "larger"]
NO_SIDE, NO_VERDICT = "not comparable", {"reference", "new", "—"}


# ---------------------------------------------------------------- rows


def matching(table, columns: dict):
    """The rows of a table that have these values."""
    for column, value in columns.items():
        table = table[table[column] == value]
    return table


@functools.cache
def committed(name: str):
    """The committed table of a study."""
    from rvae_lite.studies.study import load_results

    return load_results(name)


def results(row: dict):
    """The committed rows of a study that a row of the matrix means."""
    return matching(committed(row["study"]), row.get("of", {}))


def smaller_results(row: dict):
    """The rows of the same study at a smaller scale, or None.

    They are an earlier table, kept in results/smaller/, or those of the first of several templates.
    """
    from rvae_lite.studies.study import read_rows, results_folder

    own, kept = results(row), results_folder() / "smaller" / f"{row['study']}.csv"
    if kept.is_file():
        return matching(read_rows(kept), row.get("of", {}))
    if "template" in own and own.template.nunique() > 1:
        return own[own.template == own.template.min()]
    return None


# ---------------------------------------------------------------- scales


def in_words(numbers: list) -> str:
    """Numbers as a reader takes them: 6,400 or 1/8, several joined by "or"."""
    texts = []
    for number in numbers:
        part = Fraction(number).limit_denominator(64)
        texts.append(f"{part.numerator:,}" if part.denominator == 1 else str(part))
    return " or ".join(texts)


def scale(counts: dict) -> str:
    """A scale in words: name -> number or numbers; a network has a name."""
    texts = []
    for name, numbers in counts.items():
        numbers = numbers if isinstance(numbers, list) else [numbers]
        if name == "network":
            (kind,) = numbers
            texts.append(f"{PLAIN_WORDS.get(kind, kind)} network")
        elif name == "width":
            texts.append("full width" if numbers == [1] else f"width {in_words(numbers)}")
        elif name == "side":
            texts.append("{0}×{0}".format(*numbers))
        else:
            plain = name[:-1] if numbers == [1] else name
            texts.append(f"{in_words(numbers)} {plain}")
    return ", ".join(texts)


def counts_of(rows) -> dict[str, list]:
    """What stands on the rows of one data set: name -> its different values."""
    counts = {}
    for column, name in COUNTED.items():
        counts[name] = sorted(rows[column].dropna().unique()) if column in rows else []
    counts["templates"] = [len(counts["templates"])]
    if "replicas" not in rows and "seed" in rows:
        counts["runs"] = [rows.seed.nunique()]
    several = counts["templates"][0] > 1
    return {n: values for n, values in counts.items() if values and (several or n != "templates")}


def declared(study, profile: str) -> dict:
    """The side of the images and the network that a profile chooses, which no row tells."""
    setup = study.profiles[profile].get("setup", {})
    side = setup.get("side", setup.get("loading", {}).get("size"))
    return {name: [v] for name, v in dict(side=side, network=setup.get("network")).items() if v}


def scales_of(own, **more) -> dict[str, str]:
    """Data set -> the scale of its rows, as it stands on them, and what more is known of it."""
    parts = own.groupby("data", sort=False)
    return {data: scale(counts_of(rows) | more) for data, rows in parts}


# ---------------------------------------------------------------- verdicts


def judged(row: dict, *, smaller: bool = False):
    """The table of verdicts on a row's results, or None where there is none.

    smaller: judge the results of a smaller scale, and None where there are none.
    """
    return _judged(json.dumps(row), smaller)


@functools.cache
def _judged(text: str, smaller: bool):
    from rvae_lite.studies.study import find_study

    row = json.loads(text)
    own = smaller_results(row) if smaller else results(row)
    if own is None:
        return None
    if "says" in row:
        module, function = row["says"].split(".")
        module = importlib.import_module(f"rvae_lite.studies.{module}")
        found = getattr(module, function)(own, **row.get("with", {}))
    elif "table" in row:
        found = find_study(row["study"]).table(own, **row["table"])
    else:
        return None
    return matching(found, row.get("where", {}))


def verdicts(row: dict) -> tuple[Counter, Counter]:
    """How often each word stands in the verdicts on a row: of directions, of sizes."""
    table = judged(row)
    if table is None:
        return Counter(), Counter()
    return Counter(said_of(table)), Counter(sizes_of(table))


def sizes_of(table):
    """The word of each size in a table of verdicts, as `said_of`; empty where it has none."""
    table = keyed(table)
    return judging(table["size"]) if "size" in table else table.iloc[:0, 0]


def said_of(table):
    """The word of each comparison in a table of verdicts: a pandas Series."""
    table = keyed(table)
    if "direction" not in table and "verdict" not in table:  # statements that hold or do not
        return table.stack().map({True: "agrees", False: "differs"})
    return judging(table["direction" if "direction" in table else "verdict"])


def keyed(table):
    """A table of verdicts whose index tells its comparisons apart."""
    names = [name for name in ("points", "method", "rival") if name in table]
    return table.set_index(names, append=True)


def judging(words):
    """Those of some words that judge."""
    return words[~words.isin(NO_VERDICT)]


def counted(words: Counter, known: list) -> str:
    """Verdicts in words, for example "same 3 of 4, opposite 1"; "—" where there is none."""
    texts = [f"{word} {words[word]}" for word in [*known, NO_SIDE] if words[word]]
    total = sum(words.values())
    if texts and total > words[texts[0].rpartition(" ")[0]]:
        texts[0] += f" of {total}"
    return ", ".join(texts) or "—"
