// Draws every chart again at the reader's width. What happened is written on <html>:
// data-figures, data-rendered (numbers) and data-errors (a JSON list of messages).
(async () => {
  const root = document.documentElement;
  const charts = JSON.parse(document.getElementById("specs").textContent);
  const figures = [...document.querySelectorAll("figure[data-figure]")];
  root.dataset.figures = figures.length;

  const csv = ({ spec, columns }) => {
    const rows = Object.values(spec.datasets || {}).sort((a, b) => b.length - a.length)[0] || [];
    const names = Object.keys(rows[0] || {}).filter((name) => name in columns);
    const cell = (value) => {
      const text = value === null || value === undefined ? "" : String(value);
      return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
    };
    const lines = rows.map((row) => names.map((name) => cell(row[name])).join(","));
    return [names.map((name) => cell(columns[name])).join(","), ...lines].join("\n") + "\n";
  };

  const offerData = (figure, chart) => {
    if (!Object.keys(chart.columns).length) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "data as CSV";
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv(chart)], { type: "text/csv" }));
      link.download = figure.dataset.figure + ".csv";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    figure.querySelector("figcaption").append(" ", button);
  };

  const draw = async (figure) => {
    const chart = charts[figure.dataset.figure];
    if (!chart) return Boolean(figure.querySelector(".still svg"));
    const spec = structuredClone(chart.spec);
    const live = figure.querySelector(".live");
    figure.classList.add("is-live");
    if ("layer" in spec || "mark" in spec) {
      const narrow = live.clientWidth < chart.leastWidth;
      spec.width = narrow ? chart.leastWidth : "container";
      spec.autosize = { type: "fit-x", contains: "padding" };
    }
    if (live.clientWidth < 500 && spec.config && spec.config.legend) spec.config.legend.columns = 2;
    try {
      await vegaEmbed(live, spec, { actions: false, renderer: "svg", mode: "vega-lite", ast: true });
    } catch (problem) {
      figure.classList.remove("is-live");
      throw problem;
    }
    offerData(figure, chart);
    return Boolean(live.querySelector("svg"));
  };

  let rendered = 0;
  for (const figure of figures) {
    try {
      if (await draw(figure)) rendered += 1;
    } catch (problem) {
      recordError(figure.dataset.figure + ": " + problem);
    }
    root.dataset.rendered = rendered;
  }
})();

// On paper nothing can be unfolded.
(() => {
  const closed = [];
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details:not([open])")) {
      part.open = true;
      closed.push(part);
    }
  });
  addEventListener("afterprint", () => {
    for (const part of closed.splice(0)) part.open = false;
  });
})();
