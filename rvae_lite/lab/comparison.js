// Two maps of the same examples, side by side: what is pointed at in one is shown in both.
// Everything that comes from data (names, labels) is set as text, never as markup.
"use strict";
(() => {
  const REACH = 24; // pixels within which a dot is hit
  const MOST_LABELS = 16; // that have a colour and a shape of their own
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const floats = (text) =>
    new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const count = data.ids.length;
  const isAnchor = new Set(data.anchors);
  const labels = data.labels && { ...data.labels, of: floats(data.labels.of) };
  const values = { turn: floats(data.turn), covering: floats(data.covering.far) };
  if (data.spread) values.spread = floats(data.spread);
  for (const space of data.spaces)
    for (const map of Object.values(space.maps)) {
      map.dots = floats(map.dots);
      map.marks = floats(map.marks);
      map.far = map.far && floats(map.far);
    }
  const reference = { dots: floats(data.dots), marks: floats(data.marks) };
  const state = { space: 0, map: "unaligned", colour: "turn", anchors: true, turned: false };
  let at = -1, held = false;

  const sheet = data.sheet && new Image();
  const views = ["left", "right"].map((side) => {
    const canvas = find(side);
    return { side, canvas, base: document.createElement("canvas"), places: new Float32Array() };
  });
  const shown = () => data.spaces[state.space].maps[state.map];
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const counted = (number) => number.toLocaleString("en");
  const covering = (amount) => data.covering.said.replace("{}", () => amount);
  const digits = (value) => Number(value.toPrecision(2)).toString();

  // Colours

  const quantile = (numbers, share) => {
    const sorted = Float32Array.from(numbers).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  };
  const mixed = (stops, share) => {
    const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2), part = place - low;
    const channel = (k) => {
      const [a, b] = [stops[low], stops[low + 1]].map((c) => parseInt(c.slice(k, k + 2), 16));
      return Math.round(a + part * (b - a));
    };
    return `rgb(${channel(1)},${channel(3)},${channel(5)})`;
  };
  // Of each example its colour, its shape and its rank: what is drawn last is on top.
  const paint = () => {
    if (state.colour === "labels") {
      const colours = data.palette, grey = ink("--soft");
      const known = (k) => k < MOST_LABELS;
      return {
        colour: (i) => known(labels.of[i]) ? colours[labels.of[i] % colours.length] : grey,
        shape: (i) => known(labels.of[i]) ? Math.floor(labels.of[i] / colours.length) : 0,
        order: null,
      };
    }
    const amounts = state.colour === "far" ? shown().far : values[state.colour];
    if (state.colour === "turn") {
      const wheel = [...data.wheel, data.wheel[0]];
      return { colour: (i) => mixed(wheel, amounts[i]), shape: () => 0, order: null };
    }
    const top = quantile(amounts, 0.99) || 1;
    const order = [...amounts.keys()].sort((a, b) => amounts[a] - amounts[b]);
    return { colour: (i) => mixed(data.warm, amounts[i] / top), shape: () => 0, order, top };
  };

  const mark = (pen, shape, x, y, r) => {
    pen.beginPath();
    if (shape === 1) pen.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
    else if (shape > 1) {
      const turn = shape === 2 ? -1 : 1; // triangles up and down
      pen.moveTo(x, y + turn * 1.2 * r);
      pen.lineTo(x + 1.2 * r, y - turn * r);
      pen.lineTo(x - 1.2 * r, y - turn * r);
    } else pen.arc(x, y, r, 0, 7);
    pen.fill();
  };

  // Places on the screen: both maps have one scale where they are one plane.

  const extent = (places, share) => {
    const xs = places.filter((_, k) => k % 2 === 0), ys = places.filter((_, k) => k % 2);
    return [xs, ys].map((axis) => [quantile(axis, share), quantile(axis, 1 - share)]);
  };
  const frames = () => {
    const own = extent(reference.dots, 0), other = extent(shown().dots, 0.005);
    if (!shown().far) return [own, other];
    const joined = [0, 1].map((k) => [
      Math.min(own[k][0], other[k][0]), Math.max(own[k][1], other[k][1]),
    ]);
    return [joined, joined];
  };
  const onScreen = (view, [[x0, x1], [y0, y1]]) => {
    const { width, height } = view, room = 0.9 * Math.min(
      width / Math.max(x1 - x0, 1e-9), height / Math.max(y1 - y0, 1e-9));
    return (x, y) => [
      width / 2 + room * (x - (x0 + x1) / 2), height / 2 - room * (y - (y0 + y1) / 2),
    ];
  };

  const resize = (view) => {
    const box = view.canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    Object.assign(view, { width: box.width, height: box.height, ratio });
    for (const canvas of [view.canvas, view.base]) {
      canvas.width = Math.round(box.width * ratio);
      canvas.height = Math.round(box.height * ratio);
    }
  };

  const drawBase = () => {
    const colours = paint(), framed = frames();
    views.forEach((view, side) => {
      const source = side ? shown() : reference, place = onScreen(view, framed[side]);
      const pen = view.base.getContext("2d");
      pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
      pen.clearRect(0, 0, view.width, view.height);
      view.place = place;
      view.places = new Float32Array(2 * count);
      const radius = view.width < 400 ? 2.2 : 2.8;
      pen.globalAlpha = 0.75;
      for (let k = 0; k < count; k++) {
        const i = colours.order ? colours.order[k] : k;
        const [x, y] = place(source.dots[2 * i], source.dots[2 * i + 1]);
        view.places[2 * i] = x;
        view.places[2 * i + 1] = y;
        pen.fillStyle = colours.colour(i);
        mark(pen, colours.shape(i), x, y, radius);
      }
      pen.globalAlpha = 1;
      if (state.anchors) cross(pen, place, source.marks);
    });
    legend(colours);
    name();
    drawTop();
  };
  const cross = (pen, place, marks) => {
    for (const [colour, width] of [[ink("--card"), 4], [ink("--ink"), 1.6]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.beginPath();
      for (let k = 0; k < marks.length; k += 2) {
        const [x, y] = place(marks[k], marks[k + 1]);
        for (const turn of [-1, 1]) {
          pen.moveTo(x - 4, y - 4 * turn);
          pen.lineTo(x + 4, y + 4 * turn);
        }
      }
      pen.stroke();
    }
  };

  // The example that is pointed at

  const drawTop = () => {
    views.forEach((view, side) => {
      const pen = view.canvas.getContext("2d");
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.clearRect(0, 0, view.canvas.width, view.canvas.height);
      pen.drawImage(view.base, 0, 0);
      pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
      if (at < 0) return;
      const within = (value, room) => Math.min(Math.max(value, 9), room - 9);
      const x = within(view.places[2 * at], view.width);
      const y = within(view.places[2 * at + 1], view.height);
      if (side && shown().far) {
        const [x0, y0] = view.place(reference.dots[2 * at], reference.dots[2 * at + 1]);
        pen.strokeStyle = ink("--soft");
        pen.lineWidth = 1.2;
        pen.beginPath();
        pen.moveTo(x0, y0);
        pen.lineTo(x, y);
        pen.stroke();
      }
      for (const [colour, width] of [[ink("--card"), 5], [ink("--ink"), 2.2]]) {
        pen.strokeStyle = colour;
        pen.lineWidth = width;
        pen.beginPath();
        pen.arc(x, y, 7, 0, 7);
        pen.stroke();
      }
      if (data.sheet) drawBeside(pen, view, x, y);
    });
  };
  const drawBeside = (pen, view, x, y) => {
    const size = Math.min(72, view.width / 4) / Math.max(data.sheet.width, data.sheet.height);
    const width = size * data.sheet.width, height = size * data.sheet.height;
    const left = x + 14 + width < view.width ? x + 14 : x - 14 - width;
    const top = Math.min(Math.max(y - height / 2, 2), view.height - height - 2);
    pen.fillStyle = ink("--ink");
    pen.fillRect(left - 1, top - 1, width + 2, height + 2);
    picture(pen, at, left, top, width, height);
  };
  const picture = (pen, i, x, y, width, height) => {
    const { columns, width: w, height: h } = data.sheet;
    const from = [(i % columns) * w, Math.floor(i / columns) * h, w, h];
    pen.imageSmoothingEnabled = w >= 64;
    pen.save();
    pen.translate(x, y + (state.turned ? height : 0));
    pen.scale(1, state.turned ? -1 : 1);
    pen.drawImage(sheet, ...from, 0, 0, width, height);
    pen.restore();
  };
  const tell = () => {
    const canvas = find("picture");
    canvas.hidden = at < 0 || !data.sheet;
    if (at < 0) {
      find("told").textContent = "No example is chosen.";
      return;
    }
    const told = [`Example ${data.ids[at]}`];
    if (labels) told.push(`label ${labels.names[labels.of[at]]}`);
    const { far } = shown();
    if (far) told.push(`${digits(far[at])} standard deviations from its place in ${data.reference}`);
    told.push(covering(digits(values.covering[at])));
    if (isAnchor.has(at)) told.push("an anchor, which maps were fitted on");
    if (held) told.push("held: a click or Escape lets go");
    find("told").textContent = told.join("; ") + ".";
    if (canvas.hidden) return;
    canvas.width = 272;
    canvas.height = Math.max(1, Math.round((272 * data.sheet.height) / data.sheet.width));
    canvas.setAttribute("aria-label", `picture of example ${data.ids[at]}`);
    picture(canvas.getContext("2d"), at, 0, 0, canvas.width, canvas.height);
  };
  const choose = (i) => {
    if (i === at) return;
    at = i;
    tell();
    drawTop();
  };

  const nearest = (view, x, y) => {
    let best = -1, least = REACH ** 2;
    for (let i = 0; i < count; i++) {
      const away = (view.places[2 * i] - x) ** 2 + (view.places[2 * i + 1] - y) ** 2;
      if (away < least) [best, least] = [i, away];
    }
    return best;
  };
  // The nearest example in a quarter of the plane, dots farther off the axis counting as farther.
  const towards = (view, dx, dy) => {
    const [x, y] = [view.places[2 * at], view.places[2 * at + 1]];
    let best = at, least = Infinity;
    for (let i = 0; i < count; i++) {
      const right = view.places[2 * i] - x, down = view.places[2 * i + 1] - y;
      const along = right * dx + down * dy, aside = Math.abs(right * dy) + Math.abs(down * dx);
      if (along > 1e-3 && aside <= along && along + 2 * aside < least)
        [best, least] = [i, along + 2 * aside];
    }
    return best;
  };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const press = (view, event) => {
    const steps = { PageDown: at + 1, PageUp: at - 1, Home: 0, End: count - 1 };
    if (event.key === "Escape") release();
    else if (event.key in ARROWS) choose(at < 0 ? middle(view) : towards(view, ...ARROWS[event.key]));
    else if (event.key in steps) choose((steps[event.key] + count) % count);
    else return;
    event.preventDefault();
  };
  const middle = (view) => {
    const place = [0, 1].map((k) => quantile(view.places.filter((_, n) => n % 2 === k), 0.5));
    let best = 0, least = Infinity;
    for (let i = 0; i < count; i++) {
      const away = Math.hypot(view.places[2 * i] - place[0], view.places[2 * i + 1] - place[1]);
      if (away < least) [best, least] = [i, away];
    }
    return best;
  };
  const release = () => {
    held = false;
    choose(-1);
  };
  const hold = (view, event) => {
    const hit = nearest(view, event.offsetX, event.offsetY);
    if (hit < 0) return release();
    held = !(held && hit === at);
    at = -1;
    choose(hit);
  };

  // Words around the maps

  const named = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  const legend = (colours) => {
    const parts = [];
    if (state.colour === "labels") {
      labels.names.slice(0, MOST_LABELS).forEach((label, k) => {
        const item = named("span", ` ${label} (${labels.counts[k]})`);
        const dot = Object.assign(document.createElement("canvas"), { width: 14, height: 14 });
        dot.setAttribute("aria-hidden", "true");
        const pen = dot.getContext("2d");
        pen.fillStyle = data.palette[k % data.palette.length];
        mark(pen, Math.floor(k / data.palette.length), 7, 7, 5);
        item.prepend(dot);
        parts.push(item);
      });
      const others = labels.names.length - MOST_LABELS;
      if (others > 0) parts.push(named("span", `${others} rarer labels are grey`));
    } else if (state.colour === "turn") {
      parts.push(named("span", `One colour is one direction from the centre in ${data.reference}.`));
    } else {
      const bar = document.createElement("span");
      bar.className = "bar";
      bar.style.background = `linear-gradient(to right, ${data.warm.join(",")})`;
      parts.push(named("span", "0"), bar, named("span", `${digits(colours.top)} and more`));
      parts.push(named("span", {
        far: `instability: an example lies so many standard deviations from its place in ${data.reference}`,
        spread: "instability: a place varies so many standard deviations over all spaces, after affine maps",
        covering: `covering: ${covering("so far")}`,
      }[state.colour]));
    }
    find("legend").replaceChildren(...parts);
  };
  const name = () => {
    const other = data.spaces[state.space], plane = `the plane of ${data.reference}, ${data.where}`;
    const map = data.maps[state.map], where = shown().far ? plane : "a plane of its own, since K differs";
    find("left-name").textContent = `${data.reference}: ${plane}`;
    const [view] = views.slice(1);
    let outside = 0;
    for (let i = 0; i < count; i++) {
      const x = view.places[2 * i], y = view.places[2 * i + 1];
      outside += x < 0 || y < 0 || x > view.width || y > view.height;
    }
    const beyond = outside ? `; ${outside} examples lie beyond the edge` : "";
    find("right-name").textContent = `${other.name}, ${map}: ${where}${beyond}`;
    const drawn = count < data.total ? ` ${counted(count)} of ${counted(data.total)} examples are drawn.` : "";
    const told = `${other.name}, ${map}: ${shown().told}.${drawn}`;
    if (find("measured").textContent !== told) find("measured").textContent = told;
  };

  // Choices

  const offer = () => {
    const { maps } = data.spaces[state.space];
    for (const input of find("maps").querySelectorAll("input")) {
      input.disabled = !(input.value in maps);
      input.closest("label").hidden = input.disabled && input.value === "known";
    }
    if (!(state.map in maps)) state.map = "unaligned";
    const far = find("colours").querySelector("[value=far]");
    far.disabled = !shown().far;
    if (far.disabled && state.colour === "far") state.colour = "turn";
    for (const [group, value] of [["map", state.map], ["colour", state.colour]])
      document.querySelector(`[name=${group}][value=${value}]`).checked = true;
  };
  const change = (event) => {
    const { name: group, id, value, checked } = event.target;
    if (group) state[group] = value;
    else state[id] = id === "space" ? Number(value) : checked;
    offer();
    drawBase();
    tell();
  };

  find("explorer").hidden = false;
  find("explorer").addEventListener("change", change);
  for (const view of views) {
    view.canvas.addEventListener("pointermove", (event) => {
      const hit = held ? -1 : nearest(view, event.offsetX, event.offsetY);
      if (hit >= 0) choose(hit);
    });
    view.canvas.addEventListener("click", (event) => hold(view, event));
    view.canvas.addEventListener("keydown", (event) => press(view, event));
    view.canvas.addEventListener("focus", () => {
      if (at < 0 && view.canvas.matches(":focus-visible")) choose(middle(view));
    });
  }
  const redraw = () => {
    views.forEach(resize);
    drawBase();
  };
  offer();
  new ResizeObserver(redraw).observe(find("right"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  if (sheet) {
    sheet.onload = () => { tell(); drawTop(); };
    sheet.src = data.sheet.source;
  }
  redraw();
  tell();
})();
