// The week in the form of opening hours: fills it, copies a day to others, and draws each day from 0 to 24 h. It reads
// hours exactly as the server does (week_fields.py), and leaves as it is what the server would refuse.
"use strict";

const DAY_ENDS = 24 * 60;
const CLOSED = ["", "-", "–", "closed", "geschlossen", "zu"];
const NOISE = /\b(?:o'clock|uhr)\b/gi;
const BETWEEN_SPANS = /[,;+&/]|\b(?:and|und)\b/i;
const SPAN = /^(\S+?)\s*(?:[-–—]|\bto\b|\bbis\b)\s*(\S+)$/i;
const TIME = /^([0-9]{1,2})(?:[:.h]?([0-9]{2}))?h?$/i;

// The minute of the day; NaN if it is none that can be counted by.
function readTime(text) {
  const [, hour, minute = 0] = TIME.exec(text) || [null, NaN];
  const at = Number(hour) * 60 + Number(minute);
  return Number(minute) > 59 || at > DAY_ENDS || at % 15 ? NaN : at;
}

// The spans of a day in minutes and in order; null if the server would refuse the text.
function readDay(text) {
  const written = text.replace(NOISE, " ").trim();
  if (CLOSED.includes(written.toLowerCase())) return [];
  const parts = written.split(BETWEEN_SPANS).map((part) => part.trim()).filter(Boolean);
  const spans = parts.map((part) => {
    const [opens, closes] = (SPAN.exec(part) || []).slice(1).map(readTime);
    return [opens, closes || (closes === 0 ? DAY_ENDS : NaN)];
  });
  spans.sort((one, other) => one[0] - other[0]);
  const isRead = spans.length && spans.every(([opens, closes], at) => opens < closes && !(opens < spans[at - 1]?.[1]));
  return isRead ? spans : null;
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
  for (const [opens, closes] of readDay(text) ?? []) {
    strip.append(svg("rect", { class: "open", x: opens, width: closes - opens, height: 16 }));
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
    for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
  };

  fields[0].closest(".form-row").before(presets);
  for (const button of presets.querySelectorAll("[data-days]")) {
    button.addEventListener("click", () => {
      for (const field of fields.slice(0, Number(button.dataset.days))) put(field, button.dataset.hours);
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
      const spans = readDay(field.value);
      if (spans?.length) field.value = spans.map((span) => span.map(clock).join("–")).join(", ");
      if (spans) field.removeAttribute("aria-invalid");
      else field.setAttribute("aria-invalid", "true");
    });
  }
  fields.find((field) => field.closest(".form-row").matches(".errors"))?.focus();
}
