"""Mistakes, questions and glossary keep the form in which readers look something up."""

import re

import pytest
from loading import ROOT

BOOK = ROOT / "book"
ENDS = re.compile(r"[.?!](?=\s|$)")


def text_of(name):
    return (BOOK / f"{name}.md").read_text(encoding="utf-8")


def entries():
    """Term -> what the glossary says of it."""
    blocks = re.findall(r"```\{glossary\}\n(.*?)```", text_of("glossary"), re.S)
    parts = [re.split(r"^(\w.*)\n", block, flags=re.M)[1:] for block in blocks]
    pairs = [(part[i], part[i + 1]) for part in parts for i in range(0, len(part), 2)]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("term", entries())
def test_a_word_has_two_sentences_at_most_and_a_link(term):
    said = entries()[term]
    assert 1 <= len(ENDS.findall(said)) <= 2 and "{ref}`" in said


def test_the_words_of_both_papers_are_in_the_glossary():
    words = "anchor, rate, distortion, rate-distortion curve, beta, rho, ELBO, posterior collapse, "
    words += "active unit, gate, annealing, template, replica, Rosetta point, total correlation, "
    words += "retraining variability, latent space distortion, unaligned distance, witness points, "
    words += "curve over beta, reproducible experiment, sequential experiment, response function"
    assert set(words.split(", ")) <= set(entries())


def test_a_mistake_has_symptom_cause_remedy_and_the_section_that_shows_it():
    rows = re.findall(r"^\| (?!you see|---)(.*) \|$", text_of("mistakes"), flags=re.M)
    assert len(rows) >= 8
    for row in rows:
        *told, shown = row.split(" | ")
        assert len(told) == 3 and all(told) and shown.startswith("{ref}`"), row


def test_a_question_has_three_sentences_at_most_and_a_link():
    parts = re.split(r"^### (.*)$", text_of("faq"), flags=re.M)[1:]
    answers = dict(zip(parts[::2], parts[1::2], strict=True))
    for question, answer in answers.items():
        answer = answer.split("\n## ")[0]
        assert question.endswith("?") and "{ref}`" in answer
        assert 1 <= len(ENDS.findall(answer)) <= 3, question


@pytest.mark.parametrize("part", ["rosetta", "multirate", "both"])
def test_each_part_ends_in_five_lines_and_five_questions_with_links(part):
    text = text_of(f"wrapup_{part}")
    answers = re.findall(r"```\{dropdown\} Answer\n(.*?)```", text, re.S)
    assert len(re.findall(r"^\d\. ", text, re.M)) == len(re.findall(r"^\*\*\d\. ", text, re.M)) == 5
    assert len(answers) == 5 and all("{ref}`" in answer for answer in answers)


def test_the_reference_has_every_module_of_the_package_once():
    pages = "".join(path.read_text() for path in (BOOK / "api").glob("*.md"))
    listed = re.findall(r"automodule:: (\S+)", pages)
    package = ROOT / "rvae_lite"
    modules = [path.relative_to(ROOT).with_suffix("") for path in package.rglob("*.py")]
    names = {".".join(path.parts) for path in modules if not path.name.startswith("__")}
    assert len(listed) == len(set(listed)) and names <= set(listed)
