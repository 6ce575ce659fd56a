/** Lists below the charts: heating runs, and events. The newest come first, some at a time. */

import { byId, element } from "./dom.js";
import * as units from "./units.js";

const AT_ONCE = 6;

/** Fill a list with its first items, and offer the others. */
function fillList(id, items, nothing) {
  const list = byId(id);
  const more = byId(`${id}-more`);
  const known = list.childElementCount;
  let count = Math.max(AT_ONCE, known - (known % AT_ONCE));
  const show = () => {
    list.replaceChildren(...(items.length ? items.slice(0, count).map((item) => item()) : [element("li", { class: "soft" }, nothing)]));
    more.hidden = items.length <= count;
    more.textContent = `Show more (${items.length - count})`;
  };
  more.onclick = () => {
    count += 4 * AT_ONCE;
    show();
  };
  show();
}

function run(one, currency, open) {
  const warmer = [["upper", one.upper_from_c, one.upper_to_c], ["lower", one.lower_from_c, one.lower_to_c]]
    .filter(([, from, to]) => from !== null && to !== null)
    .map(([name, from, to]) => `${name} ${units.temperature(from).replace(/ .*/, "")} to ${units.temperature(to)}`);
  const cost = units.money(one.cost, currency);
  const facts = [one.max_w && `up to ${units.power(one.max_w)}`, ...warmer];
  const cause = one.cause && (one.certainty === "likely" ? `likely: ${one.cause}` : one.cause);
  const reason = [cause, one.stop].filter(Boolean).map(units.sentence).join(" ");
  return element("li", {},
    element("p", { class: "line-of" },
      element("button", { type: "button", class: "link", onclick: () => open(one.start, one.end) }, one.label),
      one.element ? element("span", { class: "tag element" }, "element") : null,
      element("b", {}, [units.energy(one.energy_wh), cost].filter((word) => word !== "–").join(" · "))),
    element("p", { class: "soft" }, facts.filter(Boolean).join(" · ")),
    reason ? element("p", { class: "soft" }, reason) : null);
}

/** `note` says of which part of the time the runs are not known. */
export function showRuns({ runs, note }, currency, open) {
  const items = runs.map((one) => () => run(one, currency, open));
  if (note && runs.length) items.push(() => element("li", { class: "soft" }, note));
  fillList("runs", items, note || "No heating run in this time.");
}

function event(one) {
  return element("li", { class: one.kind },
    element("p", { class: "line-of" }, element("span", { class: "soft" }, one.label)),
    element("p", {}, units.sentence(one.text), one.ended && one.kind !== "command" ? element("span", { class: "soft" }, ` Ended ${units.moment(one.ended)}.`) : null));
}

/** Starts and stops of heating are left out: the runs show them. */
export function showEvents(events) {
  fillList("events", events.filter((one) => one.kind !== "mode").map((one) => () => event(one)), "No event in this time.");
}
