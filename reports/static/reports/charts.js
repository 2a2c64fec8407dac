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
    defaults.interaction = { mode: "index", intersect: false };
    Object.assign(defaults.plugins.tooltip, {
      backgroundColor: colour("--text"),
      multiKeyBackground: "transparent",
      titleColor: colour("--card"),
      bodyColor: colour("--card"),
      footerColor: colour("--card"),
    });
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

  // In the order in which they are stacked.
  const paint = {
    answered: () => colour("--answered"),
    lost: () => colour("--missed"),
    missed: () => colour("--missed"),
    abandoned: () => tile(colour("--abandoned"), (pen) => {
      pen.beginPath();
      for (const from of [-9, -1, 7]) {
        pen.moveTo(from, 9);
        pen.lineTo(from + 10, -1);
      }
      pen.stroke();
    }),
    served_in_plan: () => tile(colour("--served_in_plan"), (pen) => {
      pen.fillRect(0, 2, 8, 1.4);
      pen.fillRect(0, 6, 8, 1.4);
    }),
    other: () => tile(colour("--short"), (pen) => {
      pen.beginPath();
      pen.arc(4, 4, 1.5, 0, 7);
      pen.fill();
    }),
  };

  /* The series of a table. A header with data-series names the series of its column; columns of the same series are
     added up. A cell without data-v is a gap. */
  const read = (table) => {
    // People may have sorted the rows; tables.js notes their places. Where it has not, all are equal.
    const rows = [...table.tBodies[0].rows].sort((a, b) => (a.dataset.at ?? 0) - (b.dataset.at ?? 0));
    const value = (cell) => (cell.dataset.v === undefined || cell.dataset.v === "" ? null : Number(cell.dataset.v));
    const series = new Map();
    for (const { dataset, cellIndex } of table.tHead.rows[0].cells) {
      if (!dataset.series) continue;
      if (!series.has(dataset.series)) {
        series.set(dataset.series, { key: dataset.series, name: dataset.seriesName || dataset.name, parts: [] });
      }
      const cells = rows.map((row) => row.cells[cellIndex]);
      series.get(dataset.series).parts.push({ name: dataset.name, cells, values: cells.map(value) });
    }
    const sum = (values) => (values.every((one) => one === null) ? null : values.reduce((all, one) => all + one, 0));
    return {
      labels: rows.map((row) => row.cells[0].dataset.label || row.cells[0].textContent.trim()),
      names: rows.map((row) => row.cells[0].textContent.trim()),
      series: [...series.values()].map((one) => ({
        ...one,
        values: rows.map((_row, i) => sum(one.parts.map((part) => part.values[i]))),
      })),
    };
  };

  /* The address of the calls of a series in a row: its own, or that of its only cell with calls. Else there is none. */
  const addressOf = (series, i) => {
    const cells = series.parts.map((part) => part.cells[i]);
    const own = cells.find((cell) => cell.dataset.href);
    if (own) return own.dataset.href;
    const links = cells.filter((cell) => Number(cell.dataset.v)).map((cell) => cell.querySelector("a[data-figure]"));
    return links.length === 1 && links[0] ? links[0].href : "";
  };

  /* A click on a bar, or a part of it, leads to its calls. Without a mouse the first tap only shows the column. */
  const leading = (series) => {
    const hit = (event, chart) => {
      const [bar] = chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, false);
      return bar ? { column: bar.index, href: addressOf(series[bar.datasetIndex], bar.index) } : { href: "" };
    };
    let tapped = null;
    return {
      onHover: (event, _bars, chart) => { chart.canvas.style.cursor = hit(event, chart).href ? "pointer" : ""; },
      onClick: (event, _bars, chart) => {
        const { column, href } = hit(event, chart);
        const isFirst = matchMedia("(hover: none)").matches && tapped !== column;
        tapped = column;
        if (!href || isFirst) return;
        if (event.native.ctrlKey || event.native.metaKey) open(href, "_blank", "noopener");
        else location.assign(href);
      },
    };
  };

  const inWords = (value) => (value === null ? "–" : value.toLocaleString(language));

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

  /* Totals above the columns. */
  const totals = {
    id: "totals",
    afterDatasetsDraw(chart) {
      const { ctx: pen, data } = chart;
      pen.save();
      pen.font = labelFont();
      pen.textBaseline = "middle";
      pen.textAlign = "center";
      pen.fillStyle = colour("--text");
      data.labels.forEach((_label, i) => {
        const total = data.datasets.reduce((sum, dataset) => sum + (dataset.data[i] || 0), 0);
        if (!total) return;
        const x = chart.getDatasetMeta(0).data[i].x;
        pen.fillText(total.toLocaleString(language), x, chart.scales.y.getPixelForValue(total) - 9);
      });
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

  /* The whole column: each series, what it is made of, and the total. */
  const columnTip = (table, names, series) => {
    const total = [...table.tHead.rows[0].cells].find((header) => header.dataset.total)?.dataset.total;
    return {
      itemSort: (a, b) => b.datasetIndex - a.datasetIndex,
      callbacks: {
        title: ([item]) => names[item.dataIndex],
        label: ({ datasetIndex, dataIndex }) => {
          const { name, values, parts } = series[datasetIndex];
          const more = parts.length > 1 ? parts.map((part) => `   ${part.name}: ${inWords(part.values[dataIndex])}`) : [];
          return [`${name}: ${inWords(values[dataIndex])}`, ...more];
        },
        footer: (items) => (total ? `${total}: ${inWords(items.reduce((sum, item) => sum + (item.raw || 0), 0))}` : ""),
      },
    };
  };

  const stacked = (table, narrow) => {
    const { labels, names, series: found } = read(table);
    const used = found.filter((one) => one.values.some(Boolean));
    const series = Object.keys(paint).flatMap((key) => used.filter((one) => one.key === key));
    const few = labels.length <= (narrow ? 7 : 16);
    const fills = series.map((one) => paint[one.key]());
    const datasets = series.map((one, i) => ({
      label: one.name,
      data: one.values,
      backgroundColor: fills[i],
      hoverBackgroundColor: fills[i],
      borderColor: colour("--card"),
      borderWidth: { top: 1.5 },
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
        layout: { padding: { right: 4, top: 18 } },
        scales: axes({ stacked: true }),
        plugins: { tooltip: columnTip(table, names, series) },
        ...leading(series),
      },
      plugins: few ? [totals] : [],
    };
  };

  /* The name of each line beside its end. */
  const endNames = (ends) => ({
    id: "endNames",
    afterDatasetsDraw(chart) {
      const { ctx: pen, chartArea: area, scales } = chart;
      const labels = ends.map((end) => ({ y: scales.y.getPixelForValue(end.at), text: end.name }));
      spread(labels, 16, area.bottom - 4);
      pen.save();
      pen.font = labelFont();
      pen.fillStyle = colour("--text");
      pen.textBaseline = "middle";
      for (const label of labels) pen.fillText(label.text, area.right + 8, label.y);
      pen.restore();
    },
  });

  const lines = (table, narrow, canvas) => {
    const { labels, series } = read(table);
    const most = Number(canvas.dataset.most) || undefined;
    const ends = series.map(({ name, values }) => ({ name, at: values.findLast((value) => value !== null) }));
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
      plugins: [endNames(ends.filter((end) => end.at !== undefined))],
    };
  };

  const bars = (table) => {
    const { labels, names, series } = read(table);
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
      options: {
        layout: { padding: { top: 4, right: 8 } },
        scales: axes(),
        plugins: { tooltip: { callbacks: { title: ([item]) => names[item.dataIndex] } } },
        ...leading(series),
      },
    };
  };

  /* The points of a cumulative curve: those of all rows, from 0 to the end of the axis. */
  const pointsOf = (table, column, end) => {
    const points = [...table.tBodies[0].rows].flatMap((row) => (row.cells[column].dataset.points || "").split(" "))
      .filter(Boolean).map((point) => point.split(":").map(Number)).map(([x, y]) => ({ x, y }));
    const within = points.filter((point) => point.x <= end);
    return [{ x: 0, y: 0 }, ...within, { x: end, y: within.at(-1)?.y ?? 0 }];
  };

  /* The limit as a line down, the target as a line across, and named points of the curve. */
  const curveMarks = ({ limit, target, dots }, points) => ({
    id: "curveMarks",
    afterDatasetsDraw(chart) {
      const { ctx: pen, chartArea: area, scales } = chart;
      const line = (...points) => {
        pen.beginPath();
        points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
        pen.stroke();
      };
      // On a band of the card's colour, because a line may pass below it.
      const write = (text, x, y) => {
        pen.strokeText(text, x, y);
        pen.fillText(text, x, y);
      };
      pen.save();
      pen.font = labelFont();
      pen.textBaseline = "middle";
      pen.strokeStyle = colour("--line-strong");
      pen.lineWidth = 1.5;
      pen.setLineDash([5, 4]);
      const at = scales.x.getPixelForValue(limit.x);
      line([at, area.top - 4], [at, area.bottom]);
      if (target) line([area.left, scales.y.getPixelForValue(target.y)], [area.right, scales.y.getPixelForValue(target.y)]);
      pen.setLineDash([]);
      pen.lineWidth = 4;
      pen.lineJoin = "round";
      pen.strokeStyle = colour("--card");
      pen.fillStyle = colour("--text");
      pen.textAlign = "center";
      const half = pen.measureText(limit.name).width / 2;
      write(limit.name, Math.min(Math.max(at, half), chart.width - half), area.top - 12);
      pen.textAlign = "left";
      const names = dots.map((dot) => ({ x: scales.x.getPixelForValue(dot.x), y: scales.y.getPixelForValue(dot.y), text: dot.name }));
      for (const { x, y } of names) {
        pen.beginPath();
        pen.arc(x, y, 4, 0, 7);
        pen.fill();
      }
      // Below the curve, also where the name begins left of its point.
      for (const name of names) {
        name.x = Math.min(name.x + 8, area.right - pen.measureText(name.text).width);
        const before = points.findLast((point) => scales.x.getPixelForValue(point.x) <= name.x) || points[0];
        name.y = Math.max(name.y, scales.y.getPixelForValue(before.y)) + 12;
      }
      spread(names, 16, area.bottom - 8);
      for (const { x, y, text } of names) write(text, x, y);
      pen.restore();
    },
  });

  /* The share of calls answered within so many seconds. Seconds are linear, so no class looks longer than it is. */
  const curve = (table) => {
    const marks = JSON.parse(document.getElementById(`${table.id}-marks`).textContent);
    const [header] = [...table.tHead.rows[0].cells].filter((cell) => cell.dataset.series);
    const points = pointsOf(table, header.cellIndex, marks.end);
    const ends = [{ name: header.dataset.name, at: points.at(-1).y }];
    if (marks.target) ends.push({ name: marks.target.name, at: marks.target.y });
    const scales = axes({ most: 100, unit: " %" });
    Object.assign(scales.x, { type: "linear", min: 0, max: marks.end });
    Object.assign(scales.x.ticks, { stepSize: marks.step, callback: (value) => `${value.toLocaleString(language)} s` });
    return {
      type: "line",
      data: {
        datasets: [{
          data: points,
          borderColor: colour("--answered"),
          borderWidth: 2,
          pointRadius: 0,
          pointHitRadius: 12,
          stepped: true,
        }],
      },
      options: {
        layout: { padding: { right: widthOf(ends) + 12, top: 20 } },
        scales,
        interaction: { mode: "nearest", axis: "x", intersect: false },
        plugins: { tooltip: { callbacks: {
          title: ([item]) => `${item.parsed.x.toLocaleString(language)} s`,
          label: (item) => `${header.dataset.name}: ${item.parsed.y.toLocaleString(language)} %`,
        } } },
      },
      plugins: [endNames(ends), curveMarks(marks, points)],
    };
  };

  const kinds = { stacked, line: lines, bars, curve };
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
