"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const config = {
    displaylogo: false,
    modeBarButtons: [["zoomIn2d", "zoomOut2d", "pan2d", "zoom2d", "resetScale2d"]],
  };
  const phone = matchMedia("(max-width: 40rem)");
  let chosen = 0;

  // On paper all is light, and charts are as wide as that is.
  const root = document.documentElement;
  const paperWidth = 680;
  const isPaper = () => root.classList.contains("paper");

  // A copy of a figure in the colours of the page; data are shared.
  function coloured(figure) {
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const data = figure.data.map((trace) => ({
      ...trace,
      line: { ...trace.line, color: colour(trace.meta) },
      marker: { ...trace.marker, color: colour(trace.meta) },
    }));
    const layout = structuredClone(figure.layout);
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
      layout[name] = {
        automargin: name !== "yaxis2",
        gridcolor: colour("grid"),
        linecolor: colour("rule"),
        tickcolor: colour("rule"),
        zeroline: false,
        ...layout[name],
        title: { ...layout[name].title, font: { size: 12 }, standoff: 8 },
      };
    }
    layout.font = { color: colour("ink"), size: 12, family: getComputedStyle(document.body).fontFamily };
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.hoverlabel = { bgcolor: colour("paper"), bordercolor: colour("rule"), font: { color: colour("ink") } };
    layout.modebar = { color: colour("faint"), activecolor: colour("ink"), bgcolor: "rgba(0,0,0,0)" };
    for (const shape of layout.shapes ?? []) shape.line.color = colour("faint");
    if (phone.matches) layout.margin = { ...layout.margin, l: 58, r: 4, t: 52 };
    layout.width = isPaper() ? paperWidth : document.querySelector("main").clientWidth;
    return { data, layout };
  }

  function figureOf(name) {
    return name === "scores" ? figures.scores[chosen] : figures[name];
  }

  // Draw anew in the colours of now; axes stay where they were zoomed to.
  function draw(name, keeps) {
    const node = document.getElementById(`chart-${name}`);
    if (!node) return null;
    const { data, layout } = coloured(figureOf(name));
    const axis = node._fullLayout?.xaxis;
    if (keeps && axis) {
      layout.xaxis.range = [...axis.range];
      layout.xaxis.autorange = false;
    }
    const bar = name === "scores" || !phone.matches;
    return Plotly.react(node, data, layout, { ...config, displayModeBar: bar });
  }

  const names = ["scores", "curves", "history"];
  const drawAll = () => Promise.all(names.map((name) => draw(name, true)));
  dark.addEventListener("change", drawAll);
  new ResizeObserver(() => isPaper() || drawAll()).observe(document.querySelector("main"));
  for (const [name, isOn] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(name, () => {
      root.classList.toggle("paper", isOn);
      drawAll();
    });
  }

  document.getElementById("series")?.addEventListener("change", (event) => {
    chosen = Number(event.target.value);
    draw("scores", false);
  });

  document.getElementById("whole").addEventListener("click", () => {
    Plotly.relayout("chart-scores", { "xaxis.range": [...figureOf("scores").layout.xaxis.range] });
  });

  function show(button) {
    const { chart, start, end } = button.dataset;
    const room = Math.max(4 * (end - start), (figures.scores[chart].layout.xaxis.range[1] - figures.scores[chart].layout.xaxis.range[0]) / 200);
    chosen = Number(chart);
    const select = document.getElementById("series");
    if (select) select.value = chart;
    draw("scores", false);
    Plotly.relayout("chart-scores", { "xaxis.range": [Number(start) - room, Number(end) + room] });
    document.getElementById("scores").scrollIntoView({ block: "start" });
  }

  function sort(button) {
    const head = button.closest("th");
    const table = head.closest("table");
    const column = [...head.parentNode.children].indexOf(head);
    const rising = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const keyed = [...table.tBodies[0].rows].map((row) => {
      const cell = row.cells[column];
      const key = cell.dataset.key;
      return { row, key, value: key === "" ? NaN : Number(key) };
    });
    const collator = new Intl.Collator("en", { numeric: true });
    keyed.sort((a, b) => {
      if ((a.key === "") !== (b.key === "")) return a.key === "" ? 1 : -1;
      const isNumber = !Number.isNaN(a.value) && !Number.isNaN(b.value);
      const order = isNumber ? a.value - b.value : collator.compare(a.key, b.key);
      return rising ? order : -order;
    });
    table.tBodies[0].append(...keyed.map(({ row }) => row));
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.matches(".sort")) sort(button);
    if (button?.matches(".show")) show(button);
  });
})();
