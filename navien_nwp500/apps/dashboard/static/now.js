/** The present state: tank, water left, what heats, alerts, and how old all that is. */

import { byId, element, say } from "./dom.js";
import { Tank } from "./tank.js";
import * as units from "./units.js";

/** A status is old after this number of missed polls. */
const POLLS_UNTIL_OLD = 3;
const TICK = 5000;

export class Now {
  /** `announce(text)` is told what a screen reader should say. */
  constructor(announce) {
    this.tank = new Tank(byId("tank"));
    this.announce = announce;
    this.now = null;
    this.connected = true;
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
    const charge = status ? `${units.percent(status.charge_percent)} hot water` : "Hot water";
    document.title = `${charge} · ${heater.name}`;
  }

  /** The connection to the server was lost or found. */
  connection(connected) {
    this.connected = connected;
    this.showAge();
  }

  showWater(status) {
    const litres = status && status.litres;
    const best = litres ? litres.best ?? (litres.low + litres.high) / 2 : null;
    const [number, word] = litres ? units.volume(best) : [status ? String(Math.round(status.charge_percent)) : "–", "%"];
    byId("water-number").textContent = number;
    byId("water-unit").textContent = litres ? `${word} of hot water left` : `${word} of the tank is hot`;
    let details = status ? "" : "Waiting for the first status of the heater.";
    if (litres) {
      const [low, high] = [litres.low, litres.high].map((value) => units.volume(value)[0]);
      details = low === high ? "" : `Between ${low} and ${high} ${word}`;
      const { showers } = status;
      if (showers) {
        const count = units.range(showers.low, showers.high, showers.high < 2 ? 1 : 0);
        details += `${details ? ", " : ""}enough for ${count} ${count === "1" ? "shower" : "showers"}`;
      }
    }
    say(byId("water-details"), details);
  }

  facts(status) {
    const facts = [
      ["Set to", units.setting(status.setpoint_c)],
      ["Mode", status.on ? status.mode.text : "Off"],
      ["Water at the outlet", units.temperature(status.water_c)],
      ["Air around it", units.temperature(status.ambient_c)],
    ];
    if (status.vacation_days) facts.push(["Vacation", units.plural(status.vacation_days, "day")]);
    if (status.tou) facts.push(["Time of use", status.tou.text || (status.tou.on ? "On" : "Off")]);
    return facts.filter(([, value]) => value !== "–").map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  }

  showAlerts(status, alerts) {
    const items = alerts.map((alert) => {
      const error = alert.kind === "error" && status ? status.error : null;
      return element("li", {}, element("strong", {}, alert.text),
        error && error.advice ? element("span", {}, ` ${error.advice}`) : null,
        alert.since ? element("span", { class: "soft" }, ` Since ${units.moment(alert.since)}.`) : null);
    });
    const error = status && status.error;
    if (error && !alerts.some((alert) => alert.kind === "error")) {
      items.unshift(element("li", {}, element("strong", {}, error.text), ` ${error.advice || ""}`));
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
    const late = known !== null && this.age() > POLLS_UNTIL_OLD * poll;
    const reachable = this.connected && link === "online";
    const old = !reachable || late || known === null;
    const reasons = [];
    if (late) reasons.push("The heater has sent nothing since, so this may no longer be true.");
    if (!this.connected) reasons.push("The dashboard cannot be reached, so this may no longer be true.");
    else if (link !== "online") reasons.push(linkText);
    say(byId("age"), known === null ? "No status yet." : `Status from ${units.age(this.age())}.`);
    say(byId("old"), reasons.join(" "));
    byId("now").classList.toggle("old", old);
  }
}

function activity(status) {
  if (!status.on) return `Switched off${status.power_w ? `, ${units.power(status.power_w)}` : ""}`;
  const sources = status.sources.join(" and ");
  const doing = sources ? `Heating with the ${sources.replace(/^the /, "")}` : capital(status.activity);
  const taps = status.drawing ? ", hot water is running" : "";
  return `${doing}, ${units.power(status.power_w)}${taps}`;
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
