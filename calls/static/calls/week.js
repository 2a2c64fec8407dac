// The week in the form of opening hours: fills it, copies a day to others, and draws each day from 0 to 24 h. It reads
// hours only to draw them and to write them as the server does; the server decides what is valid.
"use strict";

const DAY_ENDS = 24 * 60;
const TIME = String.raw`(\d{1,2})(?:[:.h]?(\d\d))?h?`;
const SPAN = new RegExp(String.raw`${TIME}\s*(?:[-–—]|\bto\b|\bbis\b)\s*${TIME}`, "gi");
const BETWEEN = /^[\s,;+&/]*(?:(?:and|und|uhr|o'clock)[\s,;+&/]*)*$/i;

// The spans of a day in minutes, and whether the text holds nothing else.
function readDay(text) {
  const spans = [...text.matchAll(SPAN)].map(([, ...parts]) => {
    const [hour, minute, toHour, toMinute] = parts.map((part) => Number(part || 0));
    return [hour * 60 + minute, toHour * 60 + toMinute || DAY_ENDS];
  });
  const isWhole =
    spans.every(([opens, closes]) => opens < closes && closes <= DAY_ENDS) && BETWEEN.test(text.replace(SPAN, ","));
  return { spans: spans.sort((one, other) => one[0] - other[0]), isWhole };
}

function clock(minute) {
  return [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, "0")).join(":");
}

function svg(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function draw(strip, text) {
  strip.replaceChildren(svg("rect", { class: "closed", width: DAY_ENDS, height: 16 }));
  for (const [opens, closes] of readDay(text).spans) {
    if (opens < closes) strip.append(svg("rect", { class: "open", x: opens, width: closes - opens, height: 16 }));
  }
  for (const hour of [6, 12, 18]) {
    strip.append(svg("line", { x1: hour * 60, x2: hour * 60, y1: 0, y2: 16, "vector-effect": "non-scaling-stroke" }));
  }
}

const fields = [...document.querySelectorAll("input[data-weekday]")];
const tools = document.getElementById("week-tools");

if (tools && fields.length) {
  const presets = tools.content.querySelector(".week-presets").cloneNode(true);
  const copyMenu = tools.content.querySelector(".week-copy");
  const said = presets.querySelector("[data-said]");
  const nameOf = (field) => document.querySelector(`label[for="${field.id}"]`).textContent.replace(/:\s*$/, "").trim();
  const put = (field, text) => {
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  fields[0].closest(".form-row").before(presets);
  for (const button of presets.querySelectorAll("[data-days]")) {
    button.addEventListener("click", () => {
      fields.forEach((field, at) => put(field, at < Number(button.dataset.days) ? button.dataset.hours : ""));
      said.textContent = `${said.dataset.filled} ${button.textContent.trim()}`;
    });
  }

  for (const field of fields) {
    const strip = svg("svg", { viewBox: `0 0 ${DAY_ENDS} 16`, "aria-hidden": "true" });
    strip.classList.add("day-strip");
    strip.setAttribute("preserveAspectRatio", "none");
    const menu = copyMenu.cloneNode(true);
    menu.querySelector("[data-from]").textContent = nameOf(field);
    for (const other of fields) {
      if (other === field) continue;
      const button = menu.querySelector("button").cloneNode();
      button.dataset.to = other.dataset.weekday;
      button.textContent = nameOf(other);
      menu.querySelector(".menu-panel").append(button);
    }
    menu.addEventListener("click", (event) => {
      const target = event.target.closest("[data-to]");
      if (!target) return;
      const days = target.dataset.to.split(",");
      for (const other of fields) if (days.includes(other.dataset.weekday)) put(other, field.value);
      menu.open = false;
      menu.querySelector("summary").focus();
      const words = { "{from}": nameOf(field), "{to}": target.textContent.trim() };
      said.textContent = said.dataset.copied.replace(/\{\w+\}/g, (name) => words[name]);
    });
    field.after(strip, menu);
    draw(strip, field.value);
    field.addEventListener("input", () => draw(strip, field.value));
    field.addEventListener("change", () => {
      const { spans, isWhole } = readDay(field.value);
      if (spans.length && isWhole) field.value = spans.map((span) => span.map(clock).join("–")).join(", ");
    });
  }
}
