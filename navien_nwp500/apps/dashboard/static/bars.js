/** Energy and cost of hours, days or months, as bars, against the period before. */

import { byId, drawing, element, say, table } from "./dom.js";
import { fitting, niceSteps } from "./scale.js";
import { energy, money } from "./units.js";

/** A bar is drawn lighter where less than this share of its time is known. */
const COMPLETE = 0.9;

export class Bars {
  /** `open(row)` shows the time of a bar in the charts. */
  constructor(open) {
    Object.assign(this, { open, periods: null, what: "energy_wh" });
    this.figure = byId("bars");
    this.details = byId("bars-table");
    this.details.addEventListener("toggle", () => this.fillTable());
    for (const radio of document.getElementsByName("bars-show")) {
      radio.addEventListener("change", () => this.choose(radio.value));
    }
    new ResizeObserver(() => this.draw()).observe(this.figure);
  }

  choose(what) {
    this.what = what;
    this.draw();
  }

  text(row) {
    return this.what === "cost" ? money(row.cost, this.periods.currency) : energy(row.energy_wh);
  }

  show(periods) {
    this.periods = periods;
    const priced = Boolean(periods.currency);
    byId("bars-choice").hidden = !priced;
    if (!priced) this.what = "energy_wh";
    say(byId("bars-summary"), periods.summary);
    byId("totals").replaceChildren(...[periods.total, periods.before].map((total) => this.total(total)));
    this.draw();
    this.fillTable();
  }

  /** A total as a bar beside the other one, with its figures. */
  total(total) {
    const most = Math.max(this.periods.total.energy_wh || 0, this.periods.before.energy_wh || 0) || 1;
    const cost = money(total.cost, this.periods.currency);
    const known = total.energy_wh !== null;
    const words = known ? [energy(total.energy_wh), cost] : ["nothing recorded"];
    if (known && total.known < COMPLETE) words.push(`${Math.floor(total.known * 100) || "less than 1"} % of the time known`);
    const bar = drawing("svg", { class: "total", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
      drawing("rect", { width: 100, height: 4, class: "rail" }),
      drawing("rect", { width: (100 * (total.energy_wh || 0)) / most, height: 4, class: "energy" }));
    return element("div", {}, element("dt", {}, total.label),
      element("dd", {}, element("b", {}, words[0]), ` ${words.slice(1).filter((word) => word && word !== "–").join(", ")}`, bar));
  }

  draw() {
    const box = this.figure.clientWidth;
    if (!this.periods || !box) return;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const [height, left, top] = [11 * rem, 2.6 * rem, 0.6 * rem];
    const [inner, width] = [height - 2.2 * rem, box - 3 * rem];
    const { rows } = this.periods;
    const scale = this.what === "cost" ? 1 : 1000;
    const values = rows.map((row) => (row[this.what] || 0) / scale);
    const steps = niceSteps(0, Math.max(...values, this.what === "cost" ? 0.1 : 0.2));
    const most = steps[steps.length - 1];
    const y = (value) => top + inner * (1 - value / most);
    const slot = width / rows.length;
    const places = rows.map((row, index) => ({ ms: index, label: row.label }));
    const x = (index) => left + slot * (index + 0.5);
    const lines = steps.map((step) => drawing("g", { class: "step" },
      drawing("path", { d: `M${left} ${y(step)}h${width}` }),
      drawing("text", { x: left - 6, y: y(step), dy: ".35em", "text-anchor": "end" }, String(step))));
    const labels = fitting(places, x, width, 0.42 * rem).map(({ ms, label }) => drawing("g", { class: "tick" },
      drawing("text", { x: x(ms), y: height - 0.3 * rem, "text-anchor": "middle" }, label)));
    const bars = rows.map((row, index) => this.bar(row, left + slot * index, slot, y(values[index]), top, inner));
    const svg = drawing("svg", { class: "plot", viewBox: `0 0 ${box} ${height}`, width: box, height, "aria-hidden": "true" },
      lines, labels, bars);
    this.figure.replaceChildren(svg);
  }

  bar(row, x, slot, y, top, inner) {
    const gap = Math.min(6, slot * 0.2);
    const name = row.known < COMPLETE ? "bar partly" : "bar";
    return drawing("g", { class: name, onclick: () => this.open(row) },
      drawing("title", {}, `${row.label}: ${this.text(row)}`),
      drawing("rect", { class: "slot", x, y: top, width: slot, height: inner }),
      drawing("rect", { class: "energy", x: x + gap / 2, y, width: Math.max(1, slot - gap), height: top + inner - y, rx: Math.min(3, slot / 5) }));
  }

  fillTable() {
    if (!this.details.open || !this.periods) return;
    const { rows, currency } = this.periods;
    const heads = ["Time", "Energy", ...(currency ? ["Cost"] : []), "Time known"];
    const body = rows.map((row) => [
      element("button", { type: "button", class: "link", onclick: () => this.open(row) }, row.label),
      energy(row.energy_wh), ...(currency ? [money(row.cost, currency)] : []), `${Math.floor(row.known * 100)} %`]);
    this.details.lastElementChild.replaceChildren(table("Energy by time", heads, body));
  }
}
