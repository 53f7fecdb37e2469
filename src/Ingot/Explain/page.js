"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.getElementById("explanation");
  const theme = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const fixed = (value, digits = 3) => value.toFixed(digits).replace("-", "−");
  const percent = p => p >= 0.0005 ? (100 * p).toFixed(1) + " %" : p > 0 ? (100 * p).toPrecision(1) + " %" : "0 %";

  // White space and control characters as signs; everything else as it is. Text only ever goes through textContent or the canvas.
  const shown = text => text.replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/^ +$/, s => "␣".repeat(s.length))
    .replace(/[\u0000-\u001f]/g, c => String.fromCharCode(0x2400 + c.charCodeAt(0)));
  const textOf = id => data.texts[id] ?? "<" + id + ">";
  const quoted = text => "“" + shown(text) + "”";

  function element(name, properties = {}, ...children) {
    const e = Object.assign(document.createElement(name), properties);
    e.append(...children);
    return e;
  }

  function section(title, about) {
    const s = element("section", {}, element("h2", {textContent: title}), element("p", {className: "about", textContent: about}));
    s.setAttribute("aria-label", title);
    root.append(s);
    return s;
  }

  function choice(label, names, change) {
    const select = element("select");
    names.forEach((name, i) => select.append(element("option", {value: i, textContent: name})));
    select.addEventListener("change", () => change(+select.value));
    return {select, label: element("label", {}, label, select)};
  }

  function tokenBox(token, index) {
    return element("span", {className: "token" + (token.special ? " special" : "")},
      element("small", {textContent: index}), element("bdi", {textContent: shown(token.text)}));
  }

  // A matrix of values 0 … 1 on a canvas, with labels where they have room. The pointer or the arrow keys choose a cell, which is told below.
  function heatmap(rows, columns, tell) {
    const canvas = element("canvas", {tabIndex: 0});
    const readout = element("p", {className: "readout"});
    readout.setAttribute("aria-live", "polite");
    canvas.setAttribute("role", "img");
    const most = Math.max(rows.length, columns.length);
    const cell = most <= 24 ? 26 : most <= 64 ? 18 : most <= 128 ? 9 : most <= 256 ? 5 : 3;
    const labelled = cell >= 18, font = Math.min(13, cell - 4) + "px system-ui, sans-serif";
    const g = canvas.getContext("2d");
    g.font = font;
    const cut = text => { const t = [...shown(text)]; return t.length > 14 ? t.slice(0, 13).join("") + "…" : t.join(""); };
    const room = texts => labelled ? Math.ceil(Math.max(20, ...texts.map(t => g.measureText(cut(t)).width))) + 8 : 1;
    const left = room(rows), top = room(columns);
    const width = left + columns.length * cell + 1, height = top + rows.length * cell + 1, ratio = window.devicePixelRatio || 1;
    let value = () => 0, cursor = null;

    function draw() {
      [canvas.width, canvas.height] = [width * ratio, height * ratio];
      [canvas.style.width, canvas.style.height] = [width + "px", height + "px"];
      g.setTransform(ratio, 0, 0, ratio, 0, 0);
      g.fillStyle = theme("--page");
      g.fillRect(left, top, columns.length * cell, rows.length * cell);
      g.fillStyle = theme("--main");
      for (let r = 0; r < rows.length; r++)
        for (let c = 0; c < columns.length; c++) {
          g.globalAlpha = Math.sqrt(Math.max(0, Math.min(1, value(r, c))));
          if (g.globalAlpha > 0)
            g.fillRect(left + c * cell, top + r * cell, cell, cell);
        }
      g.globalAlpha = 1;
      if (labelled) {
        g.font = font;
        g.fillStyle = theme("--text");
        g.textBaseline = "middle";
        g.textAlign = "right";
        rows.forEach((t, r) => g.fillText(cut(t), left - 4, top + (r + 0.5) * cell));
        g.textAlign = "left";
        columns.forEach((t, c) => {
          g.save();
          g.translate(left + (c + 0.5) * cell, top - 4);
          g.rotate(-Math.PI / 2);
          g.fillText(cut(t), 0, 0);
          g.restore();
        });
      }
      if (cursor) {
        g.strokeStyle = theme("--points");
        g.lineWidth = 2;
        g.strokeRect(left + cursor[1] * cell, top + cursor[0] * cell, cell, cell);
        readout.textContent = tell(...cursor, value(...cursor));
      }
    }

    function move(r, c) {
      cursor = [Math.max(0, Math.min(rows.length - 1, r)), Math.max(0, Math.min(columns.length - 1, c))];
      draw();
    }

    canvas.addEventListener("pointermove", e => {
      const r = Math.floor((e.offsetY - top) / cell), c = Math.floor((e.offsetX - left) / cell);
      if (r >= 0 && c >= 0 && r < rows.length && c < columns.length)
        move(r, c);
    });
    canvas.addEventListener("focus", () => cursor ?? move(0, 0));
    canvas.addEventListener("keydown", e => {
      const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[e.key];
      if (!step)
        return;
      e.preventDefault();
      const [r, c] = cursor ?? [0, 0];
      move(r + step[0], c + step[1]);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    const scroll = element("div", {className: "scroll"}, canvas);
    return {
      element: element("div", {}, scroll, readout),
      show(label, values) {
        canvas.setAttribute("aria-label", label + ". Arrow keys move from cell to cell.");
        value = values;
        draw();
      },
    };
  }

  // Tokens coloured by a signed value: for in the main colour, against in the other.
  function coloured(tokens, values, most, here) {
    const list = element("div", {className: "tokens"});
    tokens.forEach((token, i) => {
      const box = tokenBox(token, i), share = Math.abs(values[i]) / most;
      box.style.background = `color-mix(in srgb, var(${values[i] < 0 ? "--points" : "--main"}) ${Math.round(70 * share)}%, transparent)`;
      box.title = `${i} ${quoted(token.text)}: ${fixed(values[i])}`;
      box.setAttribute("aria-label", box.title);
      box.setAttribute("role", "img");
      if (i === here)
        box.classList.add("here");
      list.append(box);
    });
    return list;
  }

  function attribution() {
    if (data.predictions.length === 0)
      return;
    const integrated = data.method === "integrated-gradients";
    const s = section("What spoke for a prediction", integrated
      ? "Integrated gradients: how much of the prediction's log-probability (in nats) each token's embedding accounts for, against the mean "
        + "embedding of the vocabulary in every place. They add up to the difference of the two log-probabilities, but for the steps' error."
      : "Gradient × input: how the prediction's log-probability (in nats) changes with each token's embedding, times that embedding. It says what "
        + "mattered near this text. It is no share of the log-probability: the sum need not be the difference to embeddings of zero.");
    const body = element("div");
    const names = data.predictions.map(p => (data.task.endsWith("classification") && p.token === 0 && data.task.startsWith("sequence")
      ? "label " : p.token + " ") + quoted(p.text));
    const pick = choice("Prediction", names, show);
    s.append(element("div", {className: "choices"}, pick.label), body);
    show(0);

    function show(index) {
      const p = data.predictions[index];
      const most = Math.max(1e-12, ...p.tokens.map(Math.abs), ...(p.source ?? []).map(Math.abs));
      body.replaceChildren(element("p", {className: "readout", textContent: `log-probability ${fixed(p.logProbability)} (${percent(Math.exp(p.logProbability))})`
        + ` · with ${integrated ? "mean" : "zero"} embeddings ${fixed(p.baseline)} · difference ${fixed(p.logProbability - p.baseline)}`
        + ` · sum of what is below ${fixed(p.sum)}`}));
      if (p.source)
        body.append(element("h3", {textContent: "Source"}), coloured(data.source, p.source, most));
      body.append(element("h3", {textContent: p.source ? "Written before" : "Text"}),
        coloured(data.tokens, p.tokens, most, data.task.startsWith("sequence") ? -1 : p.token));
    }
  }

  function lens() {
    if (data.lens.length === 0)
      return;
    const about = data.ahead === 1 ? "what comes after each token" : "what stands in each place";
    const s = section("Logit lens", `What the last norm and the head make of the states between the layers: ${about}, as far as each layer knows it. `
      + "The top row is the model's own prediction. Underlined is what the text really has.");
    const readout = element("p", {className: "readout"});
    readout.setAttribute("aria-live", "polite");
    const table = element("table", {className: "lens"});
    const head = element("tr", {}, element("th", {textContent: "layer"}));
    data.lens[0].forEach((_, c) => head.append(element("th", {textContent: data.lens[0].length > 1 ? c + " " + shown(data.tokens[c].text) : "text"})));
    table.append(element("thead", {}, head));
    const body = element("tbody"), cells = [];
    for (let layer = data.lens.length - 1; layer >= 0; layer--) {
      const row = element("tr", {}, element("th", {textContent: layer === 0 ? "embeddings" : layer - 1, scope: "row"}));
      cells.push(data.lens[layer].map((reading, c) => {
        const [id, p] = reading.top[0];
        const td = element("td", {textContent: shown(textOf(id)), tabIndex: -1});
        td.style.background = `color-mix(in srgb, var(--main) ${Math.round(65 * Math.sqrt(p))}%, transparent)`;
        if (reading.actual && reading.actual[0] === id)
          td.classList.add("true");
        const tell = () => {
          readout.textContent = (data.lens[0].length > 1 ? `${c} ${quoted(data.tokens[c].text)}, ` : "")
            + (layer === 0 ? "embeddings" : "layer " + (layer - 1)) + ": " + reading.top.map(([i, q]) => `${quoted(textOf(i))} ${percent(q)}`).join("  ")
            + (reading.actual ? `  · really ${quoted(textOf(reading.actual[0]))} ${percent(reading.actual[1])}, rank ${reading.rank + 1}` : "");
        };
        td.addEventListener("pointerenter", tell);
        td.addEventListener("focus", tell);
        row.append(td);
        return td;
      }));
      body.append(row);
    }

    table.append(body);
    cells[0][0].tabIndex = 0;
    body.addEventListener("keydown", e => {
      const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[e.key];
      const r = cells.findIndex(row => row.includes(e.target));
      const next = step && cells[r + step[0]]?.[cells[r].indexOf(e.target) + step[1]];
      if (!next)
        return;
      e.preventDefault();
      e.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
    s.append(element("div", {className: "scroll"}, table), readout);
  }

  // Cross-attention belongs to what is written next: row t to the token behind token t.
  const written = data.tokens.map((_, t) => data.tokens[t + 1]?.text
    ?? (data.lens.length ? textOf((data.lens[data.lens.length - 1][t].actual ?? data.lens[data.lens.length - 1][t].top[0])[0]) : ""));

  function alignment() {
    if (!data.alignment)
      return;
    const s = section("Alignment", "Where in the source the decoder looked when it wrote each token: cross-attention, the mean over all heads of the "
      + "layers here. Rows are what was written, columns the source. Attention to the token that ends the source often means: nowhere.");
    const columns = data.source.map(t => t.text);
    const map = heatmap(written, columns, (r, c, v) => `${quoted(written[r])} ← ${quoted(columns[c])} ${fixed(v, 4)}`);
    s.append(map.element);
    map.show("Alignment", (r, c) => data.alignment[r][c]);
  }

  function attention() {
    if (data.attention.length === 0)
      return;
    const s = section("Attention", "How much of each query's attention (rows) goes to each key (columns): every row adds up to 1. Colour goes with the root, "
      + "so that little shows too. It is where a head looks, which need not be what the prediction depends on.");
    const parts = [...new Set(data.attention.map(a => a.part))];
    const titles = {encoder: "encoder", decoder: "decoder", cross: "decoder to source"};
    const unpacked = new Map();
    let part = parts[0], layer = 0, head = -1, map = null, shownPart = null;
    const partPick = choice("Part", parts.map(p => titles[p]), i => { part = parts[i]; layer = 0; head = -1; show(); });
    const layerBox = element("span"), heads = element("div", {className: "heads"}), place = element("div");
    const choices = element("div", {className: "choices"});
    if (parts.length > 1)
      choices.append(partPick.label);
    choices.append(layerBox);
    s.append(choices, heads, place);

    function values(a) {
      if (!unpacked.has(a)) {
        const binary = atob(a.probabilities), numbers = new Uint16Array(binary.length / 2);
        for (let i = 0; i < numbers.length; i++)
          numbers[i] = binary.charCodeAt(2 * i) | binary.charCodeAt(2 * i + 1) << 8;
        const causal = a.part === "decoder", each = causal ? a.queries * (a.queries + 1) / 2 : a.queries * a.keys;
        const one = (h, q, k) => causal ? (k > q ? 0 : numbers[h * each + q * (q + 1) / 2 + k] / 65535) : numbers[h * each + q * a.keys + k] / 65535;
        unpacked.set(a, (h, q, k) => {
          if (h >= 0)
            return one(h, q, k);
          let sum = 0;
          for (let i = 0; i < a.heads; i++)
            sum += one(i, q, k);
          return sum / a.heads;
        });
      }
      return unpacked.get(a);
    }

    function show() {
      const layers = data.attention.filter(a => a.part === part), a = layers[layer], at = values(a);
      const pick = choice("Layer", layers.map(l => l.layer), i => { layer = i; show(); layerBox.querySelector("select").focus(); });
      pick.select.value = layer;
      layerBox.replaceChildren(pick.label);
      heads.replaceChildren(...[-1, ...Array(a.heads).keys()].map(h => {
        const name = h < 0 ? "mean" : "head " + h;
        const button = element("button", {type: "button"}, thumbnail(a, at, h), name);
        button.setAttribute("aria-pressed", h === head);
        button.addEventListener("click", () => {
          head = h;
          [...heads.children].forEach((b, i) => b.setAttribute("aria-pressed", i - 1 === h));
          draw(a, at);
        });
        return button;
      }));
      draw(a, at);
    }

    function draw(a, at) {
      if (shownPart !== part) {
        const queries = part === "encoder" && data.source ? data.source : data.tokens, keys = part === "decoder" || !data.source ? data.tokens : data.source;
        const rows = part === "cross" ? written : queries.map(t => t.text), columns = keys.map(t => t.text);
        map = heatmap(rows, columns, (r, c, v) => `${r} ${quoted(rows[r])} → ${c} ${quoted(columns[c])} ${fixed(v, 4)}`);
        place.replaceChildren(map.element);
        shownPart = part;
      }
      map.show(`Attention of the ${titles[part]}, layer ${a.layer}, ${head < 0 ? "mean of the heads" : "head " + head}`, (r, c) => at(head, r, c));
    }

    function thumbnail(a, at, h) {
      const size = Math.min(64, Math.max(a.queries, a.keys)), canvas = element("canvas", {width: size, height: size}), g = canvas.getContext("2d");
      canvas.setAttribute("aria-hidden", "true");
      g.fillStyle = theme("--main");
      // Of a long text the strongest of each square of cells.
      const high = a.queries / size, wide = a.keys / size;
      for (let y = 0; y < size; y++)
        for (let x = 0; x < size; x++) {
          let most = 0;
          for (let q = Math.floor(y * high); q < Math.max((y + 1) * high, Math.floor(y * high) + 1) && q < a.queries; q++)
            for (let k = Math.floor(x * wide); k < Math.max((x + 1) * wide, Math.floor(x * wide) + 1) && k < a.keys; k++)
              most = Math.max(most, at(h, q, k));
          g.globalAlpha = Math.sqrt(most);
          g.fillRect(x, y, 1, 1);
        }
      return canvas;
    }

    show();
  }

  attribution();
  alignment();
  lens();
  attention();
})();
