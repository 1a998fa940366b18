/* Pages that are written as answers come first in the search: questions, mistakes, words, set-up. */
const ANSWERS = /^book\/(faq|mistakes|glossary|troubleshooting)$/;

var Scorer = {
  score: ([docname, , , , score]) => (ANSWERS.test(docname) ? 2 * score : score),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
