/** The past: which time is shown, and its charts, sums, runs and events. */

import { get, heater as pathOf } from "./api.js";
import { Bars } from "./bars.js";
import { Chart } from "./chart.js";
import { byId } from "./dom.js";
import { showEvents, showRuns } from "./lists.js";
import * as units from "./units.js";

const SPANS = ["day", "week", "month", "year"];
const HOUR = 3600000;
const SHORTEST = HOUR;
const LONGEST = 10 * 366 * 24 * HOUR;
const POINTS = 600;
/** New values are asked for this long after the first of them was stored. */
const REFRESH = 3000;
const DEGREES = 5;

/** Ends of an axis of temperatures, with some room around the lines. */
function aroundLines(low, high) {
  const room = Math.max(1, (DEGREES - (high - low)) / 2);
  return [low - room, high + room];
}

const CHARTS = [
  {
    id: "power", title: "Power", summary: "power", lines: [{ key: "power_w", label: "Power", area: true }],
    text: units.power, shown: (value) => value, axis: (low, high) => [0, Math.max(high, 500)],
  },
  {
    id: "temperatures", title: "Tank", summary: "tank",
    lines: [{ key: "upper_c", label: "Upper" }, { key: "lower_c", label: "Lower" },
      { key: "setpoint_c", label: "Set to", step: true }],
    text: units.temperature, shown: units.shown, axis: aroundLines,
  },
  {
    id: "charge", title: "Hot water", summary: "charge", lines: [{ key: "charge_percent", label: "Of the tank", area: true }],
    text: units.percent, shown: (value) => value, axis: () => [0, 100],
  },
];

export class History {
  constructor() {
    const on = {
      cursor: (index) => this.moveCursor(index),
      zoom: (from, to) => this.zoomTo(from, to),
      key: (event) => this.key(event),
    };
    this.charts = CHARTS.map((spec) => new Chart(byId("charts"), spec, on));
    this.bars = new Bars((row) => this.open(row));
    Object.assign(this, { heater: null, series: null, cursor: null, loading: null, timer: 0, view: viewInAddress(),
      shown: null, waiting: [] });
    this.listen();
  }

  listen() {
    for (const radio of document.getElementsByName("span")) {
      radio.addEventListener("change", () => this.go({ span: radio.value, at: this.anchor() }));
    }
    const buttons = {
      previous: () => this.whenShown(() => this.shift(-1)), next: () => this.whenShown(() => this.shift(1)),
      "zoom-in": () => this.whenShown(() => this.zoomBy(0.5)), "zoom-out": () => this.whenShown(() => this.zoomBy(2)),
      today: () => this.go({ span: this.span() }), "zoom-end": () => this.endZoom(),
      "try-again": () => this.load(),
    };
    for (const [id, act] of Object.entries(buttons)) byId(id).addEventListener("click", act);
    addEventListener("popstate", () => this.go(viewInAddress(), false));
  }

  // Which time is shown

  get zoomed() { return this.view.from !== undefined; }
  span() { return this.view.span || this.view.back || "day"; }

  /** The time around which another span is shown: the present, or the middle of what is shown. */
  anchor() {
    if (!this.zoomed && this.shown !== this.view) return this.view.at;
    if (!this.zoomed && this.series.range.next === null) return undefined;
    const { from, to } = this.zoomed ? this.view : this.series.range;
    return Math.round((from + to) / 2);
  }

  /** Do what counts from the time last asked for: at once, or when the server has told its bounds. */
  whenShown(act) {
    if (this.shown === this.view) {
      act();
      return;
    }
    this.waiting.push(act);
    if (!this.loading) this.load();
  }

  go(view, remember = true) {
    this.view = view;
    this.cursor = null;
    this.waiting = [];
    if (remember) history.pushState(null, "", addressOf(view));
    this.load();
  }

  shift(direction) {
    const { from, to, previous, next } = this.series.range;
    if (this.zoomed) this.zoomTo(from + direction * (to - from), to + direction * (to - from));
    else if ((direction < 0 ? previous : next) !== null) this.go({ span: this.span(), at: direction < 0 ? previous : next });
  }

  zoomBy(factor) {
    const { range, times, bucket_ms: bucket } = this.series;
    const middle = this.cursor === null ? (range.from + range.to) / 2 : times[this.cursor] + bucket / 2;
    const half = ((range.to - range.from) * factor) / 2;
    this.zoomTo(middle - half, middle + half);
  }

  zoomTo(from, to) {
    const length = Math.min(LONGEST, Math.max(SHORTEST, to - from));
    const start = Math.max(0, Math.round((from + to - length) / 2));
    this.go({ from: start, to: Math.round(start + length), back: this.span(), at: this.view.at ?? this.anchor() });
  }

  endZoom() { this.go({ span: this.span(), at: this.view.at }); }

  /** Show the time of a bar: a day or a month as such, an hour as a zoom. */
  open(row) {
    const { by } = this.bars.periods;
    if (by === "hour") this.zoomTo(row.start, row.end);
    else this.go({ span: by, at: row.start });
    byId("history").scrollIntoView({ block: "start" });
  }

  // The cursor

  moveCursor(index) {
    this.cursor = index;
    this.charts.forEach((chart) => chart.showCursor(index));
  }

  key(event) {
    if (!this.series || event.ctrlKey || event.altKey || event.metaKey) return;
    const last = this.series.times.length - 1;
    const at = this.cursor ?? Math.max(0, this.charts[0].newest);
    const step = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step, Home: 0, End: last }[event.key];
    const act = { "+": () => byId("zoom-in").click(), "-": () => byId("zoom-out").click(), Escape: () => this.escape(),
      PageUp: () => byId("previous").click(), PageDown: () => byId("next").click() }[event.key];
    if (to === undefined && !act) return;
    event.preventDefault();
    if (act) act();
    else this.moveCursor(Math.min(last, Math.max(0, to)));
  }

  escape() {
    if (this.cursor !== null) this.moveCursor(null);
    else if (this.zoomed) this.endZoom();
  }

  // What is loaded

  use(heater) {
    const other = !this.heater || this.heater.id !== heater.id;
    this.heater = heater;
    if (other) {
      Object.assign(this, { cursor: null, shown: null });
      byId("history").dataset.shown = "nothing";
    }
    this.load();
  }

  /** A status was stored: show it, unless the past or a zoom is being read. */
  stored() {
    if (!this.series || this.series.range.next !== null || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      if (document.visibilityState !== "hidden" && !this.zoomed) this.load();
    }, REFRESH);
  }

  async load() {
    this.showView();
    if (!this.heater) return; // until the server has told the heaters
    if (this.loading) this.loading.abort();
    const request = new AbortController();
    this.loading = request;
    byId("history").setAttribute("aria-busy", "true");
    try {
      await this.fetch(request.signal);
      byId("history-error").hidden = true;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.waiting = [];
      if (error.status === undefined) throw error;
      byId("history-error-text").textContent = error.message;
      byId("history-error").hidden = false;
    } finally {
      if (this.loading === request) {
        this.loading = null;
        byId("history").removeAttribute("aria-busy");
      }
    }
  }

  /** The charts first, then what is below them. */
  async fetch(signal) {
    const { id } = this.heater;
    const { span, at, from, to } = this.view;
    const time = this.zoomed ? { from, to } : { span, at };
    const unit = units.unitInUse();
    const series = await get(pathOf(id, "series", { ...time, points: POINTS, unit }), signal);
    this.showSeries(series);
    this.catchUp(signal);
    const shown = { from: series.range.from, to: series.range.to };
    const [periods, runs, events] = await Promise.all([
      get(pathOf(id, "periods", this.zoomed ? { span: this.span(), at: Math.round((from + to) / 2) } : time), signal),
      get(pathOf(id, "runs", shown), signal), get(pathOf(id, "events", shown), signal)]);
    this.bars.show(periods);
    showRuns(runs, periods.currency, (start, end) => this.zoomTo(start - HOUR / 2, (end ?? shown.to) + HOUR / 2));
    showEvents(events.events);
    byId("history").dataset.shown = "all";
  }

  /** Do what was asked for while this answer was awaited; it ends this request where it asks for another time. */
  catchUp(signal) {
    while (this.waiting.length && !signal.aborted) {
      const [act, ...rest] = this.waiting;
      act();
      this.waiting = rest;
    }
  }

  showSeries(series) {
    const before = this.series;
    const same = before && before.times[0] === series.times[0] && before.bucket_ms === series.bucket_ms;
    if (!same) this.cursor = null;
    Object.assign(this, { series, shown: this.view });
    if (byId("history").dataset.shown === "nothing") byId("history").dataset.shown = "charts";
    this.charts.forEach((chart) => chart.show(series));
    this.moveCursor(this.cursor);
    const { range } = series;
    byId("range").textContent = range.label;
    byId("previous").disabled = range.previous === null;
    byId("next").disabled = range.next === null;
    const csv = byId("csv");
    csv.href = pathOf(this.heater.id, "csv", { from: range.from, to: range.to });
    csv.hidden = false;
  }

  showView() {
    for (const radio of document.getElementsByName("span")) radio.checked = !this.zoomed && radio.value === this.view.span;
    byId("zoomed").hidden = !this.zoomed;
    byId("zoom-end").textContent = `Back to the ${this.span()}`;
  }
}

/** The view in the fragment of the address, so that a reload and a bookmark show the same. */
function viewInAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const number = (name) => (/^\d{1,15}$/.test(words.get(name) || "") ? Number(words.get(name)) : undefined);
  const span = SPANS.includes(words.get("span")) ? words.get("span") : "day";
  const [from, to] = [number("from"), number("to")];
  if (from !== undefined && to > from) return { from, to, back: span, at: number("at") };
  return { span, at: number("at") };
}

function addressOf({ span, back, at, from, to }) {
  const words = Object.entries({ span: span || back, at, from, to }).filter(([, value]) => value !== undefined && value !== null);
  return `#${new URLSearchParams(words)}`;
}
