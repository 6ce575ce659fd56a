/** The present state: tank, water left, what heats, alerts, and how old all that is. */

import { byId, element, say } from "./dom.js";
import { Tank } from "./tank.js";
import * as units from "./units.js";

/** A status is old after this number of polls without another; never within so many seconds. */
const POLLS_UNTIL_OLD = 3;
const SHORTEST_OLD_S = 15;
/** The server asks the heater when a page is opened: until then a status is not called old. */
const GRACE = 10000;
const TICK = 5000;
/** Why what is shown is not followed. */
const UNREACHED = {
  closed: "The dashboard cannot be reached, so this may no longer be true.",
  blocked: "The dashboard answers, but no live connection opens, so this may no longer be true. "
    + "A proxy in between must pass WebSockets.",
  "signed-out": "You are not signed in, so this may no longer be true.",
};

export class Now {
  /** `announce(text)` is told what a screen reader should say. */
  constructor(announce) {
    this.tank = new Tank(byId("tank"));
    this.announce = announce;
    this.now = null;
    this.link = "paused";
    this.connectedAt = Date.now();
    setInterval(() => this.showAge(), TICK);
  }

  show(heater, now) {
    const before = this.now;
    this.now = now;
    this.received = Date.now();
    const status = now.status;
    this.tank.show(status);
    byId("facts").replaceChildren(...(status ? this.facts(status) : []));
    this.showWater(status);
    say(byId("activity"), status ? activity(status) : "");
    say(byId("forecast"), now.forecast ? now.forecast.text : "");
    say(byId("recording"), now.recording);
    this.showAlerts(status, now.alerts);
    this.showAge();
    if (before && before.heater === now.heater) this.tell(before, now);
    this.name = heater.name;
    this.showTitle();
  }

  /** The connection to the server is "open", "closed", "blocked", "signed-out", or "paused" while the page is not seen. */
  connection(word) {
    if (word === "open" && this.link !== "open") this.connectedAt = Date.now();
    this.link = word;
    this.showAge();
    this.showTitle();
  }

  /** The title is read while another page is seen, which is when nothing follows the heater. */
  showTitle() {
    if (!this.now) return;
    const { status } = this.now;
    const charge = status && this.link === "open" ? `${units.percent(status.charge_percent)} hot water` : "Hot water";
    document.title = `${charge} · ${this.name}`;
  }

  showWater(status) {
    const litres = status && status.litres;
    const [number, word] = litres ? waterLeft(litres) : [status ? String(Math.round(status.charge_percent)) : "–", "%"];
    byId("water-number").textContent = number;
    byId("water-number").classList.toggle("long", number.length > 4);
    byId("water-unit").textContent = litres ? `${word} of hot water left` : `${word} of the tank is hot`;
    if (!status) say(byId("water-details"), "Waiting for the first status of the heater.");
    else say(byId("water-details"), litres ? waterDetails(status) : "");
  }

  facts(status) {
    const facts = [
      ["Set to", units.setting(status.setpoint_c)],
      ["Mode", modeText(status)],
      ["Water at the outlet", units.temperature(status.water_c)],
      ["Air around it", units.temperature(status.ambient_c)],
    ];
    if (status.vacation_days) facts.push(["Vacation", units.plural(status.vacation_days, "day")]);
    if (status.tou) facts.push(["Time of use", units.capital(status.tou.text || (status.tou.on ? "on" : "off"))]);
    return facts.filter(([, value]) => value !== "–").map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  }

  showAlerts(status, alerts) {
    const items = alerts.map((alert) => {
      const error = alert.kind === "error" && status ? status.error : null;
      return element("li", {}, element("strong", {}, units.sentence(alert.text)),
        error && error.advice ? element("span", {}, ` ${error.advice}`) : null,
        alert.since ? element("span", { class: "soft" }, ` Since ${units.moment(alert.since)}.`) : null);
    });
    const error = status && status.error;
    if (error && !alerts.some((alert) => alert.kind === "error")) {
      items.unshift(element("li", {}, element("strong", {}, units.sentence(error.text)), ` ${error.advice || ""}`));
    }
    byId("alerts").replaceChildren(...items);
    byId("alerts").hidden = !items.length;
  }

  /** Say what began since the last status; values are not read out. */
  tell(before, now) {
    const known = new Set(before.alerts.map((alert) => alert.kind + alert.text));
    const begun = now.alerts.filter((alert) => !known.has(alert.kind + alert.text));
    begun.forEach((alert) => this.announce(alert.text));
    if (before.link !== now.link) this.announce(now.link_text);
  }

  /** Seconds since the heater sent the status; the time in which this machine slept counts. */
  age() {
    return this.now.age_s + (Date.now() - this.received) / 1000;
  }

  showAge() {
    if (!this.now) return;
    const { age_s: known, poll_s: poll, link, link_text: linkText } = this.now;
    const limit = Math.max(SHORTEST_OLD_S, POLLS_UNTIL_OLD * poll);
    const late = known !== null && this.age() > limit && Date.now() - this.connectedAt > GRACE;
    const followed = this.link === "open";
    const old = UNREACHED[this.link] || (followed && link !== "online") || late || known === null;
    const reasons = [];
    if (late && followed) reasons.push("The heater has sent nothing since, so this may no longer be true.");
    if (UNREACHED[this.link]) reasons.push(UNREACHED[this.link]);
    else if (followed && link !== "online") reasons.push(linkText);
    say(byId("age"), known === null ? "No status yet." : `Status from ${units.age(this.age())}.`);
    say(byId("old"), reasons.join(" "));
    byId("now").classList.toggle("old", Boolean(old));
  }
}

/** The likely amount and its unit, or the range where none is more likely than another. */
function waterLeft({ low, best, high }) {
  if (best !== null) return units.volume(best);
  const [from, to] = [low, high].map((value) => units.volume(value)[0]);
  return [from === to ? from : `${from}–${to}`, units.volume(low)[1]];
}

function waterDetails({ litres, showers }) {
  const [low, high] = [litres.low, litres.high].map((value) => units.volume(value)[0]);
  const parts = [];
  if (litres.best !== null && low !== high) parts.push(`between ${low} and ${high}`);
  if (showers) parts.push(enoughFor(showers));
  return units.capital(parts.join("; "));
}

function enoughFor({ low, high }) {
  if (high < 1) return "not enough for a shower";
  if (low === high) return `enough for ${units.plural(low, "shower")}`;
  return low < 1 ? `enough for ${units.plural(high, "shower")} at most` : `enough for ${low} to ${high} showers`;
}

function activity(status) {
  if (!status.on) return `Switched off${status.power_w ? `, ${units.power(status.power_w)}` : ""}`;
  const sources = status.sources.join(" and ");
  const doing = sources ? `Heating with the ${sources.replace(/^the /, "")}` : units.capital(status.activity);
  const taps = status.drawing ? ", hot water is running" : "";
  return `${doing}, ${units.power(status.power_w)}${taps}`;
}

function modeText(status) {
  if (!status.on) return "Off";
  return status.mode ? units.capital(status.mode.text) : "Not known";
}
