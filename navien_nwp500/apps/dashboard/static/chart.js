/** A chart of values over time: mean line, band from least to largest, gaps, and a cursor. */

import { drawing, element, say, table } from "./dom.js";
import { bandPath, fitting, groups, linePath, niceSteps, stepPath } from "./scale.js";
import { clock, moment } from "./units.js";

const DAY = 86400000;
/** A day has an hour more when clocks are set back. */
const LONGEST_DAY = 25 * 3600000;
const TABLE_ROWS = 62;
/** Pixels of a drag that selects; a shorter one is a tap. */
const DRAG = 8;
/** Pixels around the cursor where a tap ends it. */
const NEAR = 12;

/** Mean, least and largest of a line's values; a setting has only the one list. */
const listsOf = (values) => (Array.isArray(values) ? { mean: values, min: values, max: values } : values);

export class Chart {
  /**
   * `spec`: id, title, lines [{key, label, step, area}], text(value) in words, shown(value) as a number,
   * axis(low, high) its ends. `on`: cursor(index), zoom(from, to), key(event).
   */
  constructor(parent, spec, on) {
    Object.assign(this, { spec, on, series: null, cursor: null, drag: null });
    this.legend = element("ul", { class: "legend" });
    this.time = element("p", { class: "soft at" });
    this.summary = element("p", { class: "summary", id: `${spec.id}-summary` });
    this.svg = drawing("svg", { class: "plot", "aria-hidden": "true" });
    this.slider = element("div", {
      class: "reader", role: "slider", tabindex: "0", "aria-label": `${spec.title} at a time`,
      "aria-describedby": this.summary.id,
    }, this.svg);
    this.details = element("details", {}, element("summary", {}, "Table"), element("div"));
    this.details.addEventListener("toggle", () => this.fillTable());
    parent.append(element("section", { class: "chart", id: spec.id, "aria-labelledby": `${spec.id}-title` },
      element("header", {}, element("h3", { id: `${spec.id}-title` }, spec.title), this.time, this.legend),
      this.slider, this.summary, this.details));
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.slider);
  }

  listen() {
    const { slider } = this;
    slider.addEventListener("keydown", (event) => this.on.key(event, this));
    slider.addEventListener("pointerdown", (event) => this.press(event));
    slider.addEventListener("pointermove", (event) => this.move(event));
    slider.addEventListener("pointerup", (event) => this.release(event));
    slider.addEventListener("pointercancel", () => this.cancel());
    slider.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && !this.drag) this.on.cursor(null);
    });
  }

  // What a pointer does

  place(event) {
    return event.clientX - this.svg.getBoundingClientRect().left;
  }

  press(event) {
    if (!this.series || event.button !== 0) return;
    this.drag = { start: this.place(event), wide: false, cursor: this.cursor };
    if (event.pointerType !== "touch") this.slider.setPointerCapture(event.pointerId);
  }

  move(event) {
    if (!this.series) return;
    const { drag } = this;
    if (drag) drag.wide = drag.wide || Math.abs(this.place(event) - drag.start) >= DRAG;
    if (drag && !drag.wide) return;
    if (drag && event.pointerType !== "touch") this.select(drag.start, this.place(event));
    else this.on.cursor(this.indexAt(this.place(event)));
  }

  /** A finger that began on the chart scrolls the page: it reads no value. */
  cancel() {
    const { drag } = this;
    this.select(null);
    if (drag && this.series) this.on.cursor(drag.cursor);
  }

  release(event) {
    const { drag } = this;
    this.select(null);
    if (!drag || !this.series) return;
    if (event.pointerType === "touch") this.touch(drag, this.place(event));
    else if (drag.wide) this.on.zoom(...[drag.start, this.place(event)].sort((a, b) => a - b).map((x) => this.timeAt(x)));
    else this.on.cursor(this.indexAt(this.place(event)));
  }

  /** Read the value at a tap, or where a finger that was drawn aside left; a tap at the cursor ends it. */
  touch(drag, place) {
    const ends = !drag.wide && drag.cursor !== null && Math.abs(this.x(this.series.times[drag.cursor]) - place) < NEAR;
    this.on.cursor(ends ? null : this.indexAt(place));
  }

  /** Draw what is selected, or end the selection. */
  select(from, to) {
    if (from === null) this.drag = null;
    if (!this.selection) return;
    const [left, right] = [from ?? 0, to ?? 0].sort((a, b) => a - b).map((x) => this.within(x));
    this.selection.setAttribute("x", left);
    this.selection.setAttribute("width", right - left);
  }

  within(x) { return Math.min(this.left + this.width, Math.max(this.left, x)); }

  timeAt(x) {
    const { from, to } = this.series.range;
    return Math.round(from + ((this.within(x) - this.left) / this.width) * (to - from));
  }

  indexAt(x) {
    const { times } = this.series;
    const at = this.timeAt(x);
    let index = times.length - 1;
    while (index > 0 && times[index] > at) index -= 1;
    return index;
  }

  // What is drawn

  show(series) {
    this.series = series;
    say(this.summary, series.summary[this.spec.summary]);
    this.lines = this.spec.lines.map((line) => ({ ...line, ...listsOf(series[line.key]) }));
    this.newest = series.times.findLastIndex((_, index) => this.lines.some((line) => line.mean[index] !== null));
    this.slider.setAttribute("aria-valuemin", 0);
    this.slider.setAttribute("aria-valuemax", Math.max(0, series.times.length - 1));
    this.draw();
    this.fillTable();
  }

  draw() {
    const box = this.slider.clientWidth;
    if (!this.series || !box) return;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const height = Math.round(10 * rem);
    Object.assign(this, { left: 2.6 * rem, width: box - 3 * rem, top: 0.6 * rem, height: height - 2.2 * rem });
    const { spec, series, lines } = this;
    const known = lines.flatMap((line) => [...line.min, ...line.max]).filter((value) => value !== null).map(spec.shown);
    const ends = spec.axis(...(known.length ? [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))] : [0, 1]));
    const steps = niceSteps(...ends);
    const [low, high] = [steps[0], steps[steps.length - 1]];
    const { from, to } = series.range;
    this.x = (ms) => this.within(this.left + ((ms - from) / (to - from)) * this.width);
    this.y = (value) => this.top + this.height * (1 - (spec.shown(value) - low) / (high - low));
    this.svg.setAttribute("viewBox", `0 0 ${box} ${height}`);
    this.svg.setAttribute("width", box);
    this.svg.setAttribute("height", height);
    this.selection = drawing("rect", { class: "selection", y: this.top, height: this.height, width: 0 });
    this.mark = drawing("g", { class: "mark" });
    this.svg.replaceChildren(...this.gaps(), ...this.grid(steps, low, high), ...this.ticks(rem, height),
      ...this.curves(), this.nothing(known.length), this.selection, this.mark);
    this.showCursor(this.cursor);
  }

  gaps() {
    return this.series.gaps.map(([from, to]) => drawing("rect", {
      class: "gap", x: this.x(from), y: this.top, width: Math.max(1, this.x(to) - this.x(from)), height: this.height,
    }, drawing("title", {}, "Nothing was recorded")));
  }

  grid(steps, low, high) {
    return steps.map((step) => {
      const y = this.top + this.height * (1 - (step - low) / (high - low));
      return drawing("g", { class: "step" },
        drawing("path", { d: `M${this.left} ${y}h${this.width}` }),
        drawing("text", { x: this.left - 6, y, dy: ".35em", "text-anchor": "end" }, step.toLocaleString("en")));
    });
  }

  ticks(rem, height) {
    return fitting(this.series.ticks, this.x, this.width, 0.42 * rem).map(({ ms, label }) => {
      const x = this.x(ms);
      const end = x + label.length * 0.21 * rem > this.left + this.width + 0.4 * rem;
      return drawing("g", { class: "tick" },
        drawing("path", { d: `M${x} ${this.top + this.height}v4` }),
        drawing("text", { x, y: height - 0.3 * rem, "text-anchor": end ? "end" : "middle" }, label));
    });
  }

  curves() {
    const { times, bucket_ms: bucket } = this.series;
    const start = (index) => this.x(index < times.length ? times[index] : times[index - 1] + bucket);
    const middle = (index) => (start(index) + this.x(times[index] + bucket)) / 2;
    return this.lines.flatMap((line) => {
      if (line.step) return [drawing("path", { class: `line ${line.key}`, d: stepPath(line.mean, start, this.y) })];
      const floor = line.mean.map((value) => (value === null ? null : 0));
      return [
        line.area && drawing("path", { class: `area ${line.key}`, d: bandPath(floor, line.mean, middle, this.y) }),
        drawing("path", { class: `band ${line.key}`, d: bandPath(line.min, line.max, middle, this.y) }),
        drawing("path", { class: `line ${line.key}`, d: linePath(line.mean, middle, this.y) }),
      ].filter(Boolean);
    });
  }

  nothing(known) {
    return drawing("text", {
      class: "nothing", x: this.left + this.width / 2, y: this.top + this.height / 2, "text-anchor": "middle",
    }, known ? "" : "Nothing was recorded in this time.");
  }

  // The cursor, and the values at it

  showCursor(cursor) {
    this.cursor = cursor;
    if (!this.series) return;
    const { times, bucket_ms: bucket } = this.series;
    const index = cursor ?? this.newest;
    const known = index >= 0 && index < times.length;
    const when = !known ? "" : bucket >= DAY ? moment(times[index], false) : moment(times[index]);
    const { from, to } = this.series.range;
    this.time.textContent = known && cursor === null ? `newest, ${to - from > LONGEST_DAY ? when : clock(times[index])}` : when;
    const values = this.lines.map((line) => (known ? line.mean[index] : null));
    const texts = values.map((value) => (value === null ? "–" : this.spec.text(value)));
    this.legend.replaceChildren(...this.lines.map((line, at) => element("li", {},
      element("span", { class: `swatch ${line.key}`, "aria-hidden": "true" }),
      `${line.label} `, element("b", {}, texts[at]))));
    this.slider.setAttribute("aria-valuenow", Math.max(0, index));
    this.slider.setAttribute("aria-valuetext", known
      ? `${when}: ${values.some((value) => value !== null)
        ? this.lines.map((line, at) => `${line.label} ${texts[at]}`).join(", ") : "nothing was recorded"}`
      : "nothing was recorded");
    this.showMark(cursor === null ? null : index, values);
  }

  showMark(index, values) {
    if (!this.mark) return;
    this.mark.replaceChildren();
    if (index === null || index >= this.series.times.length) return;
    const middle = this.series.times[index] + this.series.bucket_ms / 2;
    const x = this.x(middle);
    this.mark.append(drawing("path", { d: `M${x} ${this.top}v${this.height}` }));
    values.forEach((value, at) => {
      if (value === null) return;
      this.mark.append(drawing("circle", { class: this.lines[at].key, cx: x, cy: this.y(value), r: 4 }));
    });
  }

  /** The values as a table, joined to a few dozen rows, while it is open. */
  fillTable() {
    if (!this.details.open || !this.series) return;
    const { times, bucket_ms: bucket } = this.series;
    const days = bucket >= DAY;
    const heads = ["Time", ...this.lines.flatMap((line) => (line.step ? [line.label]
      : [`${line.label}, mean`, "least", "largest"]))];
    const rows = groups(times.length, TABLE_ROWS).map((indexes) => {
      const cells = this.lines.flatMap((line) => cellsOf(line, indexes, this.spec.text));
      return cells.some((cell) => cell !== "–") ? [moment(times[indexes[0]], !days), ...cells] : null;
    });
    this.details.lastChild.replaceChildren(
      table(`${this.spec.title}, ${this.series.range.label}`, heads, rows.filter(Boolean)));
  }
}

function cellsOf(line, indexes, text) {
  const known = indexes.filter((index) => line.mean[index] !== null);
  if (!known.length) return line.step ? ["–"] : ["–", "–", "–"];
  const pick = (list) => known.map((index) => list[index]);
  if (line.step) return [text(line.mean[known[known.length - 1]])];
  const mean = pick(line.mean).reduce((sum, value) => sum + value, 0) / known.length;
  return [text(mean), text(Math.min(...pick(line.min))), text(Math.max(...pick(line.max)))];
}
