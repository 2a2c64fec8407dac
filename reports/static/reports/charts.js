/* Charts read the table below them, so both always show the same. */
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const language = document.documentElement.lang || "en";

  const look = () => {
    const defaults = Chart.defaults;
    defaults.font.family = getComputedStyle(document.body).fontFamily;
    defaults.font.size = 12;
    defaults.color = colour("--muted");
    defaults.animation = false;
    defaults.maintainAspectRatio = false;
    defaults.plugins.legend.display = false;
    defaults.plugins.tooltip.backgroundColor = colour("--text");
    defaults.plugins.tooltip.titleColor = defaults.plugins.tooltip.bodyColor = colour("--card");
  };

  /* --- a pattern for each colour, so that outcomes do not depend on colour alone --- */
  const tile = (fill, draw) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 8;
    const pen = canvas.getContext("2d");
    pen.fillStyle = fill;
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = pen.fillStyle = colour("--hatch");
    pen.lineWidth = 1.6;
    draw(pen);
    return pen.createPattern(canvas, "repeat");
  };

  const paint = {
    answered: () => colour("--answered"),
    missed: () => colour("--missed"),
    abandoned: () => tile(colour("--abandoned"), (pen) => {
      for (const offset of [-8, 0, 8]) {
        pen.beginPath();
        pen.moveTo(offset, 8);
        pen.lineTo(offset + 8, 0);
        pen.stroke();
      }
    }),
    served_in_plan: () => tile(colour("--served_in_plan"), (pen) => {
      pen.fillRect(0, 2, 8, 1.4);
      pen.fillRect(0, 6, 8, 1.4);
    }),
    short: () => tile(colour("--short"), (pen) => {
      pen.beginPath();
      pen.arc(4, 4, 1.5, 0, 7);
      pen.fill();
    }),
    // Not filled: only the border has the colour.
    in_progress: () => colour("--card"),
    unclassified: () => colour("--card"),
    end_unknown: () => tile(colour("--end_unknown"), (pen) => pen.strokeRect(0, 0, 8, 8)),
  };
  const frames = { in_progress: "--in_progress", unclassified: "--line-strong" };

  /* The series of a table: one for each header with data-series. A cell without data-v is a gap. */
  const read = (table) => {
    const headers = [...table.tHead.rows[0].cells].filter((header) => header.dataset.series);
    const rows = [...table.tBodies[0].rows];
    const value = (cell) => (cell.dataset.v === undefined || cell.dataset.v === "" ? null : Number(cell.dataset.v));
    return {
      labels: rows.map((row) => row.cells[0].dataset.label || row.cells[0].textContent.trim()),
      series: headers.map((header) => ({
        key: header.dataset.series,
        name: header.dataset.name,
        values: rows.map((row) => value(row.cells[header.cellIndex])),
      })),
    };
  };

  /* Move labels apart so that none overlap, and keep the last above the axis. */
  const spread = (labels, gap, bottom) => {
    labels.sort((a, b) => a.y - b.y);
    for (let i = 1; i < labels.length; i++) labels[i].y = Math.max(labels[i].y, labels[i - 1].y + gap);
    for (let i = labels.length - 1, limit = bottom; i >= 0; i--, limit -= gap) labels[i].y = Math.min(labels[i].y, limit);
  };

  const labelFont = () => `500 12px ${Chart.defaults.font.family}`;

  /* The width that names beside the last bar or point need, in whatever language. */
  const widthOf = (series) => {
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = labelFont();
    return Math.ceil(Math.max(0, ...series.map((one) => pen.measureText(one.name).width)));
  };

  const barEnd = (bar) => ({ x: bar.x + bar.width / 2, y: (bar.y + bar.base) / 2 });

  /* Totals above the bars, names of outcomes beside the last bar. */
  const directLabels = {
    id: "directLabels",
    afterDatasetsDraw(chart, _, options) {
      const { ctx: pen, chartArea: area, data } = chart;
      pen.save();
      pen.font = labelFont();
      pen.textBaseline = "middle";
      pen.fillStyle = colour("--text");
      if (options.totals) {
        pen.textAlign = "center";
        data.labels.forEach((_label, i) => {
          const total = data.datasets.reduce((sum, dataset) => sum + (dataset.data[i] || 0), 0);
          if (!total) return;
          const x = chart.getDatasetMeta(0).data[i].x;
          pen.fillText(total.toLocaleString(language), x, chart.scales.y.getPixelForValue(total) - 9);
        });
      }
      if (options.names) {
        const last = data.labels.length - 1;
        const labels = data.datasets
          .map((dataset, i) => ({ dataset, bar: chart.getDatasetMeta(i).data[last] }))
          .filter(({ dataset, bar }) => bar && dataset.data.some(Boolean))
          .map(({ dataset, bar }) => ({ ...barEnd(bar), from: barEnd(bar).y, text: dataset.label }))
          .reverse(); // the last series is at the top, also if bars have no height
        spread(labels, 16, area.bottom - 4);
        pen.textAlign = "left";
        pen.strokeStyle = colour("--line-strong");
        for (const label of labels) {
          pen.beginPath();
          pen.moveTo(label.x + 3, label.from);
          pen.lineTo(label.x + 12, label.y);
          pen.stroke();
          pen.fillText(label.text, label.x + 15, label.y);
        }
      }
      pen.restore();
    },
  };

  /* Vertical: counts or shares from 0. Horizontal: time or classes. */
  const axes = ({ stacked = false, most = undefined, unit = "" } = {}) => ({
    x: {
      stacked,
      grid: { display: false },
      border: { color: colour("--line-strong") },
      ticks: { maxRotation: 0, autoSkipPadding: 12 },
    },
    y: {
      stacked,
      beginAtZero: true,
      max: most,
      grid: { color: colour("--line"), drawTicks: false },
      border: { display: false },
      ticks: {
        padding: 8,
        maxTicksLimit: 5,
        precision: 0,
        ...(unit && { callback: (value) => value.toLocaleString(language) + unit }),
      },
    },
  });

  const stacked = (table, narrow) => {
    const { labels, series } = read(table);
    const few = labels.length <= (narrow ? 7 : 16);
    const datasets = series.map((one) => ({
      label: one.name,
      data: one.values,
      backgroundColor: (paint[one.key] || paint.unclassified)(),
      borderColor: colour(frames[one.key] || "--card"),
      borderWidth: one.key in frames ? 1.5 : { top: 1.5 },
      borderSkipped: false,
      stack: "calls",
      barPercentage: 0.72,
      categoryPercentage: 0.95,
      maxBarThickness: 90,
    }));
    return {
      type: "bar",
      data: { labels, datasets },
      options: {
        layout: { padding: { right: narrow ? 4 : widthOf(series.filter((one) => one.values.some(Boolean))) + 18, top: 18 } },
        scales: axes({ stacked: true }),
        plugins: { directLabels: { totals: few, names: !narrow } },
      },
      plugins: [directLabels],
    };
  };

  /* The name of each line beside its last point. */
  const lineNames = {
    id: "lineNames",
    afterDatasetsDraw(chart) {
      const { ctx: pen, chartArea: area, data } = chart;
      const labels = data.datasets.flatMap((dataset, i) => {
        const last = dataset.data.findLastIndex((value) => value !== null);
        return last < 0 ? [] : [{ x: area.right, y: chart.getDatasetMeta(i).data[last].y, text: dataset.label }];
      });
      spread(labels, 16, area.bottom - 4);
      pen.save();
      pen.font = labelFont();
      pen.fillStyle = colour("--text");
      pen.textBaseline = "middle";
      for (const label of labels) pen.fillText(label.text, label.x + 8, label.y);
      pen.restore();
    },
  };

  const lines = (table, narrow, canvas) => {
    const { labels, series } = read(table);
    const most = Number(canvas.dataset.most) || undefined;
    return {
      type: "line",
      data: {
        labels,
        datasets: series.map((one) => ({
          label: one.name,
          data: one.values,
          borderColor: colour(one.key === "aim" ? "--line-strong" : "--text"),
          backgroundColor: colour("--text"),
          borderDash: one.key === "aim" ? [5, 4] : [],
          borderWidth: one.key === "aim" ? 1.5 : 2,
          pointRadius: one.key === "aim" || labels.length > 62 ? 0 : 2.5,
          spanGaps: false,
        })),
      },
      options: {
        layout: { padding: { right: widthOf(series) + 12, top: 8 } },
        scales: axes({ most, unit: canvas.dataset.unit }),
      },
      plugins: [lineNames],
    };
  };

  /* Named vertical lines in a distribution; their positions are given in classes. */
  const crossLines = (marks) => ({
    id: "crossLines",
    afterDatasetsDraw(chart) {
      const { ctx: pen, chartArea: area, scales } = chart;
      const step = scales.x.getPixelForValue(1) - scales.x.getPixelForValue(0);
      const labels = marks.map((mark, i) => ({ x: scales.x.getPixelForValue(0) + mark.at * step, y: area.top - 10 - 15 * i, text: mark.name }));
      pen.save();
      pen.font = labelFont();
      pen.fillStyle = pen.strokeStyle = colour("--text");
      pen.textBaseline = "middle";
      for (const label of labels) {
        pen.beginPath();
        pen.setLineDash([4, 3]);
        pen.moveTo(label.x, label.y + 7);
        pen.lineTo(label.x, area.bottom);
        pen.stroke();
        const width = pen.measureText(label.text).width;
        pen.fillText(label.text, Math.min(label.x - 4, chart.width - width - 4), label.y);
      }
      pen.restore();
    },
  });

  const bars = (table, _narrow, canvas) => {
    const { labels, series } = read(table);
    const given = document.getElementById(`${canvas.dataset.table}-lines`);
    const marks = given ? JSON.parse(given.textContent) : [];
    return {
      type: "bar",
      data: {
        labels,
        datasets: series.slice(0, 1).map((one) => ({
          label: one.name,
          data: one.values,
          backgroundColor: colour("--line-strong"),
          barPercentage: 0.8,
          maxBarThickness: 60,
        })),
      },
      options: { layout: { padding: { top: 4 + 15 * marks.length, right: 8 } }, scales: axes() },
      plugins: [crossLines(marks)],
    };
  };

  const kinds = { stacked, line: lines, bars };
  const narrow = matchMedia("(max-width: 760px)");

  const drawAll = () => {
    look();
    for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
      const table = document.getElementById(canvas.dataset.table);
      Chart.getChart(canvas)?.destroy();
      if (table) new Chart(canvas, (kinds[canvas.dataset.chart] || stacked)(table, narrow.matches, canvas));
    }
    document.documentElement.dataset.ready = "1";
  };

  const forgetIn = (part) => {
    for (const canvas of part.querySelectorAll("canvas[data-chart]")) Chart.getChart(canvas)?.destroy();
  };

  document.fonts.load("500 12px Inter").finally(() => {
    drawAll();
    narrow.addEventListener("change", drawAll);
    document.addEventListener("calltally:theme", drawAll);
    document.addEventListener("htmx:beforeSwap", (event) => forgetIn(event.detail.target));
    document.addEventListener("htmx:afterSwap", drawAll);
    document.addEventListener("htmx:historyRestore", drawAll);
  });
})();
