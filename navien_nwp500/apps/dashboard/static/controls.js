/** Controls of a heater: each asks before it sends, and shows the heater's own answer. */

import { CommandSender } from "./command.js";
import { byId, element, say } from "./dom.js";
import * as units from "./units.js";

/** From here on water scalds within a minute. */
const SCALDING_C = 52;

const button = (text, onclick, attributes = {}) => element("button", { type: "button", onclick, ...attributes }, text);

function group(name, title, ...children) {
  return element("fieldset", { class: `control ${name}` }, element("legend", {}, title), ...children);
}

export class Controls {
  constructor() {
    this.sender = new CommandSender((state, sent) => this.show(state, sent));
    this.result = null;
    this.dialog = byId("confirm");
    this.updates = [];
    byId("confirm-yes").addEventListener("click", () => this.dialog.close("yes"));
    byId("confirm-no").addEventListener("click", () => this.dialog.close("no"));
    this.dialog.addEventListener("close", () => this.answered());
  }

  /** Draw the controls of a heater; without any, as with --read-only, nothing is shown. */
  use(heater) {
    const other = this.heater && this.heater.id !== heater.id;
    this.heater = heater;
    if (other) this.showResult(this.sender.pending ? this.result : null);
    // What is being entered stays when the connection was lost, or the server was started again and does
    // not know yet what the heater can.
    const drawn = JSON.stringify([heater.id, heater.controls, units.unitInUse()]);
    if (heater.controls.length && drawn !== this.drawn) {
      this.draw(heater);
      this.drawn = drawn;
    }
    byId("controls").hidden = !heater.controls.length;
    this.update(heater.now);
    this.enable();
  }

  draw(heater) {
    this.updates = [];
    const builders = { temperature: this.temperature, mode: this.mode, power: this.power, vacation: this.vacation, tou: this.tou };
    const known = heater.controls.filter((control) => builders[control.command]);
    byId("controls-list").replaceChildren(...known.map((control) => builders[control.command].call(this, control)));
  }

  update(now) {
    this.status = now.status;
    if (now.status) this.updates.forEach((update) => update(now.status));
  }

  // Controls

  temperature({ min_c: low, max_c: high, step_c: step }) {
    const size = units.unitInUse() === "F" ? 1 : step;
    const [least, most] = [Math.ceil(units.shown(low) - 0.01), Math.floor(units.shown(high) + 0.01)];
    const input = element("input", {
      type: "number", inputmode: "decimal", min: least, max: most, step: size, required: true,
      "aria-label": `Temperature in ${units.unitSign()}`,
    });
    let touched = false;
    input.addEventListener("input", () => { touched = true; });
    const change = (direction) => {
      touched = true;
      input.value = Math.min(most, Math.max(least, Number(input.value) + direction * size));
    };
    this.updates.push((status) => {
      const text = units.setting(status.setpoint_c).replace(/ .*/, "");
      if (input.value === text) touched = false;
      if (!touched && status.setpoint_c !== null) input.value = text;
    });
    const send = (event) => {
      event.preventDefault();
      if (!input.reportValidity()) return;
      touched = false;
      const celsius = Math.round(units.entered(Number(input.value)) / step) * step;
      const text = units.setting(celsius);
      const hot = celsius > SCALDING_C ? " Water this hot can scald." : "";
      this.ask("temperature", { celsius }, `Set the temperature to ${text}`,
        `It is set to ${units.setting(this.status && this.status.setpoint_c)} now.${hot}`, "Set");
    };
    return group("temperature", "Temperature", element("form", { class: "row", novalidate: true, onsubmit: send },
      button("−", () => change(-1), { "aria-label": "Lower" }), input, element("span", { "aria-hidden": "true" }, units.unitSign()),
      button("+", () => change(1), { "aria-label": "Higher" }), element("button", { class: "primary" }, "Set …")));
  }

  mode({ choices }) {
    const buttons = choices.map(({ value, text }) => button(units.capital(text), () => this.ask("mode", { mode: value },
      `Change the mode to ${text}`, `It is ${this.status && this.status.mode ? this.status.mode.text : "not known"} now.`, "Change")));
    this.updates.push((status) => buttons.forEach((one, index) =>
      one.setAttribute("aria-pressed", String(Boolean(status.mode) && choices[index].value === status.mode.value))));
    return group("mode", "Mode", element("div", { class: "row" }, buttons));
  }

  /** A switch with two buttons, of which the present one is marked. */
  onOff(name, title, isOn, ask) {
    const [on, off] = [button("On", () => ask(true)), button("Off", () => ask(false))];
    this.updates.push((status) => {
      on.setAttribute("aria-pressed", String(isOn(status) === true));
      off.setAttribute("aria-pressed", String(isOn(status) === false));
    });
    return group(name, title, element("div", { class: "row" }, on, off));
  }

  power() {
    return this.onOff("power", "Power", (status) => status.on, (on) => this.ask("power", { on },
      on ? "Switch the heater on" : "Switch the heater off",
      on ? "It heats again as its mode says." : "It makes no hot water until it is switched on again.",
      on ? "Switch on" : "Switch off"));
  }

  tou() {
    return this.onOff("tou", "Time of use", (status) => status.tou && status.tou.on, (on) => this.ask("tou", { on },
      on ? "Follow the time-of-use plan" : "Stop following the time-of-use plan",
      on ? "The heater then waits for cheaper hours." : "The plan stays in the heater.", on ? "Follow" : "Stop"));
  }

  vacation({ min_days: least, max_days: most }) {
    const input = element("input", { type: "number", inputmode: "numeric", min: least, max: most, value: Math.min(most, Math.max(least, 7)), required: true, "aria-label": "Days of vacation" });
    const end = button("End", () => this.ask("vacation", { days: 0 }, "End the vacation", "The heater heats again as before.", "End"));
    this.updates.push((status) => { end.hidden = !status.vacation_days; });
    const send = (event) => {
      event.preventDefault();
      if (!input.reportValidity()) return;
      const days = Number(input.value);
      this.ask("vacation", { days }, `Start a vacation of ${units.plural(days, "day")}`,
        "The heater stops heating until then; it still protects itself from freezing.", "Start");
    };
    return group("vacation", "Vacation", element("form", { class: "row", novalidate: true, onsubmit: send },
      input, element("span", { "aria-hidden": "true" }, "days"), element("button", { class: "primary" }, "Start …"), end));
  }

  // Question, answer and result

  ask(command, values, what, details, word) {
    if (this.sender.pending || this.dialog.open) return;
    this.question = { heater: this.heater, command, values, what };
    byId("confirm-title").textContent = `${what}?`;
    byId("confirm-text").textContent = details;
    byId("confirm-yes").textContent = word;
    this.dialog.returnValue = "";
    this.dialog.showModal();
    byId("confirm-no").focus();
  }

  answered() {
    const { heater, command, values, what } = this.question;
    if (this.dialog.returnValue === "yes") this.sender.send(heater, command, values, what);
  }

  show(state, sent) {
    this.showResult({ ...state, sent });
    this.enable();
  }

  /** Say what became of a command; of which heater, where another one is shown. */
  showResult(result) {
    this.result = result;
    const line = byId("command-status");
    const { outcome, text, sent } = result || { outcome: "", text: "" };
    line.className = outcome;
    say(line, result && this.heater && sent.heater !== this.heater.id ? `${sent.name}: ${text}` : text);
    line.hidden = false;
  }

  /** Wait with further commands until the answer is known. */
  enable() {
    const busy = Boolean(this.sender.pending);
    byId("controls-list").setAttribute("aria-busy", String(busy));
    for (const one of byId("controls-list").querySelectorAll("button, input")) one.setAttribute("aria-disabled", String(busy));
  }
}
