/** Drawing of the tank: coloured by its two temperatures, marks where its hot water ends, what heats. */

import { drawing } from "./dom.js";
import { percent, temperature } from "./units.js";

const TOP = 74;
const HEIGHT = 190;
/** Half of the height in which hot water turns to cold, in percent of the tank. */
const MIXED = 7;
/** Water of these temperatures is drawn quite blue, and quite red. */
const [COLD_C, HOT_C] = [25, 52];

/** How hot the colour is, from 0 to 1. */
const warmth = (celsius) => Math.min(1, Math.max(0, (celsius - COLD_C) / (HOT_C - COLD_C)));

function fan() {
  const blade = "M0 0C5 -3 9 -9 4 -15C-2 -17 -5 -9 0 0Z";
  const blades = [0, 120, 240].map((turn) => drawing("path", { d: blade, transform: `rotate(${turn})` }));
  return drawing("g", { transform: "translate(80 40)" },
    drawing("circle", { r: 20, class: "fan-ring" }), drawing("g", { class: "fan" }, blades));
}

/** A heating element, a loop of wire through the wall of the tank. */
function coil(y, name) {
  return drawing("path", { class: `coil ${name}`, d: `M130 ${y - 5}H104a5 5 0 0 0 0 10H130` });
}

function text(y, name) {
  return drawing("text", { x: 80, y, "text-anchor": "middle", class: name });
}

/** A tank in an `<svg>`; `show(status)` draws a status, null an unknown one. */
export class Tank {
  constructor(svg) {
    this.svg = svg;
    svg.setAttribute("viewBox", "0 0 160 276");
    this.stops = ["upper", "upper", "lower", "lower"].map((name) => drawing("stop", { class: name }));
    this.level = drawing("path", { class: "level" });
    this.charge = text(TOP + 100, "charge");
    this.upper = text(TOP + 36, "degrees");
    this.lower = text(TOP + HEIGHT - 18, "degrees");
    svg.replaceChildren(
      drawing("defs", {}, drawing("linearGradient", { id: "water", x1: 0, y1: 0, x2: 0, y2: 1 }, this.stops)),
      drawing("path", { class: "pipe", d: "M46 64v14M114 64v14" }),
      drawing("rect", { class: "head", x: 34, y: 12, width: 92, height: 56, rx: 12 }),
      fan(),
      drawing("rect", { class: "jacket", x: 26, y: TOP - 4, width: 108, height: HEIGHT + 8, rx: 22 }),
      drawing("rect", { class: "water", x: 30, y: TOP, width: 100, height: HEIGHT, rx: 18, fill: "url(#water)" }),
      coil(TOP + 62, "upper"), coil(TOP + 142, "lower"),
      this.level, this.upper, this.charge, this.lower,
      drawing("path", { class: "drop", d: "M146 100c5 7 8 11 8 15a8 8 0 0 1-16 0c0-4 3-8 8-15z" }));
  }

  show(status) {
    const charge = status ? status.charge_percent : 0;
    [0, charge - MIXED, charge + MIXED, 100].forEach((place, index) => {
      this.stops[index].setAttribute("offset", `${Math.min(100, Math.max(0, place))}%`);
    });
    const y = TOP + (HEIGHT * charge) / 100;
    this.level.setAttribute("d", charge > 2 && charge < 98 ? `M30 ${y}h14M116 ${y}h14` : "");
    if (status) {
      this.svg.style.setProperty("--upper-warmth", `${100 * warmth(status.upper_c)}%`);
      this.svg.style.setProperty("--lower-warmth", `${100 * warmth(status.lower_c)}%`);
    }
    this.svg.classList.toggle("known", Boolean(status));
    this.charge.textContent = status ? percent(charge) : "";
    this.upper.textContent = status ? temperature(status.upper_c) : "";
    this.lower.textContent = status ? temperature(status.lower_c) : "";
    const sources = (status ? status.sources : []).join(" ");
    const running = {
      "heat-pump": /heat pump/.test(sources),
      "upper-element": /element/.test(sources) && !/lower/.test(sources),
      "lower-element": /lower/.test(sources),
      drawing: Boolean(status && status.drawing),
    };
    for (const [name, on] of Object.entries(running)) this.svg.classList.toggle(name, on);
    this.svg.setAttribute("aria-label", status
      ? `Tank, ${percent(charge)} hot: ${this.upper.textContent} above, ${this.lower.textContent} below`
      : "Tank, nothing known yet");
  }
}
