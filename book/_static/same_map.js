// One syllable on three maps: it is played, and marked where each training puts it.
(() => {
  const host = document.getElementById("same-map"), content = window.sameMap;
  host.hidden = false;
  if (content?.kind !== "same map" || content.schema_version !== 1) {
    host.textContent = "The demonstration's data are missing or of another version: build the book again.";
    return;
  }
  const { maps, types, type, tints, frame, side, points, syllables } = content;
  const SIZE = 240;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const [middle, height, half] = frame;
  const at = ([x, y]) => [SIZE / 2 * (1 + (x - middle) / half), SIZE / 2 * (1 - (y - height) / half)];
  const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
  const draw = (parent, name, attributes, text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    element.textContent = text;
    return parent.appendChild(element);
  };
  const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

  // A panel a map: dots, a letter at each type's middle, Rosetta points, and the place chosen.
  const marks = maps.map(({ z, distance, mapped }, number) => {
    const panel = host.querySelectorAll("svg")[number];
    z.forEach((place, row) => {
      const [cx, cy] = at(place);
      draw(panel, "circle", { class: "dot", cx, cy, r: 3, fill: tints[type[row]] });
    });
    if (number < 2) points.map(at).forEach(([x, y]) =>
      draw(panel, "path", { class: "point", d: `M${x} ${y - 5}l5 5l-5 5l-5-5z` }));
    types.forEach((letter, kind) => {
      const own = z.filter((_, row) => type[row] === kind).map(at);
      const [x, y] = [0, 1].map((axis) => median(own.map((place) => place[axis])));
      draw(panel, "text", { x, y: y - 14 }, letter);
    });
    const told = host.querySelectorAll("figcaption span")[number];
    if (number) told.textContent = `${percent(distance)} away from the first map`;
    if (number === 2) told.textContent += `; ${percent(mapped)} behind the best map fitted afterwards`;
    return [draw(panel, "path", { class: "way" }), draw(panel, "circle", { class: "mark", r: 9, cx: -99 })];
  });

  const said = host.querySelector("[role=status]"), buttons = host.querySelector(".same-map-songs");
  const signed = (number) => number.toFixed(1).replace("-", "\u2212");
  const sound = new Audio();
  function choose(number) {
    const { row, sound: wav } = syllables[number], first = at(maps[0].z[row]);
    maps.forEach(({ z }, n) => {
      const [cx, cy] = at(z[row]), [way, mark] = marks[n];
      mark.setAttribute("cx", cx);
      mark.setAttribute("cy", cy);
      way.setAttribute("d", `M${first.join(" ")}L${cx} ${cy}`);
    });
    [...buttons.children].forEach((button, n) => button.setAttribute("aria-pressed", n === number));
    const [one, again, other] = maps.map(({ z }) => z[row].map(signed).join(", "));
    said.textContent = `Syllable ${types[type[row]]} lies at (${one}) on the first map, `
      + `at (${again}) on the R-VAE's and at (${other}) on the VAE's.`;
    sound.src = `data:audio/wav;base64,${wav}`;
    sound.play().catch(() => { said.textContent += " Its sound could not be played here."; });
  }

  syllables.forEach(({ row, image }, number) => {
    const button = buttons.appendChild(document.createElement("button"));
    const canvas = button.appendChild(document.createElement("canvas"));
    const letter = types[type[row]];
    button.type = "button";
    button.setAttribute("aria-pressed", false);
    button.setAttribute("aria-label", `Play syllable ${number + 1}, of type ${letter}`);
    button.append(`▶ ${letter}`);
    button.addEventListener("click", () => choose(number));
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d"), picture = context.createImageData(side, side);
    bytes(image).forEach((ink, pixel) => { // low frequencies first, and shown below
      const place = 4 * ((side - 1 - Math.floor(pixel / side)) * side + pixel % side);
      picture.data.set([ink, ink, ink, 255], place);
    });
    context.putImageData(picture, 0, 0);
  });
})();
