// Draw the page's formulas; screen readers get them as MathML, and keys scroll wide ones.
for (const place of document.querySelectorAll("span.math, div.math > .tex")) {
  const displayMode = place.matches(".tex");
  const options = { displayMode, output: "htmlAndMathml", throwOnError: false };
  katex.render(place.textContent, place, options);
}

const focus = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const wide of document.querySelectorAll("div.math, .pst-scrollable-table-container")) {
  focus.observe(wide);
}
