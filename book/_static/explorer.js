// The explorer: a multi-rate decoder that runs in the page (tools/explorer.py wrote its weights).
(() => {
  const host = document.getElementById("explorer-app");
  const content = window.explorerData;
  const find = (name) => host.querySelector(`.explorer-${name}`);
  host.hidden = false;
  if (content?.kind !== "explorer" || content.schema_version !== 1) {
    host.textContent = "The explorer's data are missing or of another version: build the book again.";
    return;
  }

  // ---------------------------------------------------------------- numbers

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  const arrays = (texts) => texts && Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, floats(text)]));
  const range = (count) => [...Array(count).keys()];
  const { latent_dim: dim, beta_range: [low, high], side, plane, reach, table, points } = content;
  const closing = arrays(content.closing);
  const layers = content.layers.map(({ weight, scale, bias, film, gate }) => ({
    weight: new Int8Array(bytes(weight).buffer), // (outputs, inputs)
    scale: floats(scale), bias: floats(bias), film: arrays(film), gate: arrays(gate),
  }));
  const curves = floats(points.z); // (J, R, K)
  const count = points.label.length;

  // h: log beta with mean 0 and standard deviation 1 over the range of training.
  const standardise = (beta) =>
    (Math.log(beta) - Math.log(low * high) / 2) * 2 * Math.sqrt(3) / Math.log(high / low);
  const sqrtGate = (x) => (x < -1e-6 ? Math.sqrt(-Math.expm1(x)) : 0);

  // The probability of ink in each pixel at latents z, (K,), and beta: (side * side,).
  function decode(z, beta) {
    const h = standardise(beta);
    let a = z;
    layers.forEach(({ weight, scale, bias, film, gate }, n) => {
      if (film) { // gates of the latents: affine in h, times the one that closes them
        a = Array.from(a, (value, k) =>
          sqrtGate(closing.weight[k] * h + closing.bias[k])
            * (value * (film.weight[k] * h + film.bias[k])
              + film.shift_weight[k] * h + film.shift_bias[k]));
      }
      const s = new Float64Array(bias.length);
      for (let i = 0, at = 0; i < s.length; i++) {
        let sum = 0;
        for (let j = 0; j < a.length; j++) sum += weight[at++] * a[j];
        s[i] = scale[i] * sum + bias[i];
        if (gate) s[i] *= sqrtGate(gate.weight[i] * h + gate.bias[i]);
        if (n < layers.length - 1) s[i] = Math.max(0, s[i]);
      }
      a = s;
    });
    return a.map((logit) => 1 / (1 + Math.exp(-logit)));
  }

  // Where beta lies among ascending nodes: the lower one, and the share of the way in log beta.
  function place(nodes, beta) {
    const above = nodes.findIndex((node) => node > beta);
    const j = Math.max(0, (above < 0 ? nodes.length : above) - 1);
    const end = Math.min(j + 1, nodes.length - 1);
    const share = end > j ? Math.log(beta / nodes[j]) / Math.log(nodes[end] / nodes[j]) : 0;
    return [j, end, Math.min(1, Math.max(0, share))];
  }
  function between(values, beta) {
    const [j, end, share] = place(table.beta, beta);
    return (1 - share) * values[j] + share * values[end];
  }
  function latent(r, beta) {
    const [j, end, share] = place(points.beta, beta);
    const at = (node, k) => curves[(node * count + r) * dim + k];
    return range(dim).map((k) => (1 - share) * at(j, k) + share * at(end, k));
  }
  // Rate, distortion (nats) and active units at beta, between the betas where they were measured.
  function measured(beta) {
    const variance = range(dim).map((k) => between(table.variance.map((row) => row[k]), beta));
    const active = variance.filter((value) => value >= table.threshold).length;
    const [rate, distortion] = [table.rate, table.distortion].map((v) => between(v, beta));
    return { rate, distortion, active, variance };
  }

  // ---------------------------------------------------------------- what is chosen

  const chosen = { beta: 1, centre: -1, moved: null }; // moved: [x, y] on the pad, or null
  function position() {
    const z = chosen.centre < 0 ? range(dim).map(() => 0) : latent(chosen.centre, chosen.beta);
    if (chosen.moved) plane.forEach((k, axis) => { z[k] = chosen.moved[axis]; });
    return z;
  }

  // ---------------------------------------------------------------- drawing

  const SIZE = 320, STEPS = 200;
  const across = (value) => SIZE / 2 * (1 + value / reach);
  const draw = (parent, name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    return parent.appendChild(element);
  };
  const set = (element, attributes) => {
    for (const key in attributes) element.setAttribute(key, attributes[key]);
  };
  const short = (number) => number.toPrecision(number < 1 ? 2 : 3).replace(/^(\d+)e.*/, "$1");
  const signed = (number) => number.toFixed(2).replace("-", "\u2212");

  function paint(canvas, ink) {
    const context = canvas.getContext("2d"), image = context.createImageData(side, side);
    ink.forEach((share, pixel) => {
      image.data.fill(Math.round(255 * share), 4 * pixel, 4 * pixel + 3);
      image.data[4 * pixel + 3] = 255;
    });
    context.putImageData(image, 0, 0);
  }

  const slider = find("beta"), pad = find("pad"), picture = find("picture");
  const buttons = find("points"), units = find("units"), plot = find("plot");
  slider.max = STEPS;
  const betaAt = (step) => low * (high / low) ** (step / STEPS);
  slider.value = Math.round(STEPS * Math.log(1 / low) / Math.log(high / low));
  chosen.beta = betaAt(slider.value);

  // The pad: axes, a curve and a digit for each Rosetta point, and the place chosen.
  draw(pad, "path", { class: "axis", d: `M0 ${SIZE / 2}H${SIZE}M${SIZE / 2} 0V${SIZE}` });
  draw(pad, "text", { x: SIZE - 6, y: SIZE / 2 - 6, "text-anchor": "end" }, `latent ${plane[0] + 1}`);
  draw(pad, "text", { x: SIZE / 2 + 6, y: 14 }, `latent ${plane[1] + 1}`);
  const lines = range(count).map(() => draw(pad, "path", { class: "curve" }));
  const passed = range(count).map(() => draw(pad, "path", { class: "passed" }));
  const digits = range(count).map((r) =>
    draw(pad, "text", { class: "digit", "text-anchor": "middle" }, points.label[r]));
  const mark = draw(pad, "circle", { class: "mark", r: 9 });
  const corner = ([x, y]) => `${across(x).toFixed(1)} ${across(-y).toFixed(1)}`;
  const onPlane = (z) => plane.map((k) => z[k]);
  // The corners of each curve, one for each beta at which it is known.
  const corners = range(count).map((r) => points.beta.map((beta) => corner(onPlane(latent(r, beta)))));

  // The curve of rate and distortion, and where beta is on it.
  const [WIDE, HIGH, LEFT, FOOT] = [320, 170, 46, 36];
  const most = Math.max(...table.rate), ends = [Math.min(...table.distortion), Math.max(...table.distortion)];
  const onPlot = (rate, distortion) => [
    LEFT + (WIDE - LEFT - 12) * rate / most,
    10 + (HIGH - FOOT - 14) * (ends[1] - distortion) / (ends[1] - ends[0])];
  draw(plot, "path", { class: "axis", d: `M${LEFT} 4V${HIGH - FOOT + 4}H${WIDE}` });
  const course = table.rate.map((rate, j) => onPlot(rate, table.distortion[j]).map((v) => v.toFixed(1)));
  draw(plot, "path", { class: "passed", d: "M" + course.map((pair) => pair.join(" ")).join("L") });
  const tick = (x, y, anchor, text) => draw(plot, "text", { x, y, "text-anchor": anchor }, text);
  tick(LEFT - 5, 16, "end", Math.round(ends[1]));
  tick(LEFT - 5, HIGH - FOOT, "end", Math.round(ends[0]));
  tick(LEFT, HIGH - FOOT + 18, "middle", 0);
  tick(WIDE - 12, HIGH - FOOT + 18, "middle", Math.round(most));
  tick((LEFT + WIDE) / 2, HIGH - 5, "middle", "rate, nats");
  draw(plot, "text", { transform: `translate(14 ${(HIGH - FOOT) / 2}) rotate(-90)`,
    "text-anchor": "middle" }, "distortion");
  const here = draw(plot, "circle", { class: "mark", r: 6 });

  const bars = range(dim).map((k) => {
    const bar = units.appendChild(document.createElement("span"));
    bar.title = `latent ${k + 1}`;
    return bar.appendChild(document.createElement("i"));
  });
  const small = range(count + 1).map((n) => {
    const button = buttons.appendChild(document.createElement("button"));
    button.type = "button";
    const name = n ? `Rosetta point ${n}, digit ${points.label[n - 1]}` : "the origin";
    button.setAttribute("aria-label", `Start from ${name}`);
    button.title = name;
    button.addEventListener("click", () => {
      Object.assign(chosen, { centre: n - 1, moved: null });
      show();
    });
    const canvas = button.appendChild(document.createElement("canvas"));
    canvas.width = canvas.height = side;
    return canvas;
  });

  // Everything that depends on beta and on the place chosen.
  function show() {
    const { beta, centre } = chosen, z = position(), [x, y] = onPlane(z);
    const { rate, distortion, active, variance } = measured(beta);
    const told = { "beta-is": short(beta), rate: rate.toFixed(1), distortion: distortion.toFixed(1) };
    told.active = `${active} of ${dim}`;
    for (const name in told) find(name).textContent = told[name];
    slider.setAttribute("aria-valuetext", `beta ${told["beta-is"]}, rate ${told.rate} nats, `
      + `distortion ${told.distortion} nats, ${told.active} units active`);
    variance.forEach((value, k) => {
      bars[k].style.height = `${Math.min(100, 80 * Math.sqrt(value)).toFixed(0)}%`;
      bars[k].parentElement.classList.toggle("active", value >= table.threshold);
    });
    const before = points.beta.filter((node) => node < beta).length;
    range(count).forEach((r) => {
      const now = latent(r, beta), [left, top] = onPlane(now);
      passed[r].setAttribute("d", "M" + [...corners[r].slice(0, before), corner([left, top])].join("L"));
      set(digits[r], { x: across(left), y: across(-top) + 5 });
      for (const element of [lines[r], passed[r], digits[r]]) {
        element.classList.toggle("chosen", r === centre);
      }
      paint(small[r + 1], decode(now, beta));
    });
    paint(small[0], decode(range(dim).map(() => 0), beta));
    small.forEach((canvas, n) => canvas.parentElement.setAttribute("aria-pressed", n - 1 === centre));
    set(mark, { cx: across(x), cy: across(-y) });
    const [left, top] = onPlot(rate, distortion);
    set(here, { cx: left, cy: top });
    const where = `latent ${plane[0] + 1} at ${signed(x)}, latent ${plane[1] + 1} at ${signed(y)}`;
    set(pad, { "aria-valuetext": where, "aria-valuenow": x.toFixed(2) });
    find("where").textContent = where;
    paint(picture, decode(z, beta));
  }

  // ---------------------------------------------------------------- hands and keys

  const inside = (value) => Math.min(reach, Math.max(-reach, value));
  function moveTo(x, y) {
    chosen.moved = [inside(x), inside(y)];
    show();
  }
  function point(event) {
    const box = pad.getBoundingClientRect();
    moveTo(reach * (2 * (event.clientX - box.left) / box.width - 1),
      reach * (1 - 2 * (event.clientY - box.top) / box.height));
  }
  slider.addEventListener("input", () => {
    chosen.beta = betaAt(Number(slider.value));
    show();
  });
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    pad.focus({ preventScroll: true });
    point(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (pad.hasPointerCapture(event.pointerId)) point(event);
  });
  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  pad.addEventListener("keydown", (event) => {
    const [x, y] = onPlane(position()), step = reach / (event.shiftKey ? 5 : 25);
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Home") moveTo(0, 0);
    else if (event.key in KEYS) moveTo(x + step * KEYS[event.key][0], y + step * KEYS[event.key][1]);
    else return;
    event.preventDefault();
  });

  set(pad, { "aria-valuemin": -reach, "aria-valuemax": reach });
  lines.forEach((line, r) => line.setAttribute("d", "M" + corners[r].join("L")));
  show();
  window.explorerNumbers = { decode, latent, measured }; // what the tests compare
})();
