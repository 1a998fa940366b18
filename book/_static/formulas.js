// Draw the page's formulas; screen readers get them as MathML.
for (const place of document.querySelectorAll("span.math, div.math > .tex")) {
  const displayMode = place.matches(".tex");
  const options = { displayMode, output: "htmlAndMathml", throwOnError: false };
  katex.render(place.textContent, place, options);
}
