/** One command at a time, sent once: its id is remembered, and after a reload its state is asked for. */

import { ApiError, get, heater as pathOf, post } from "./api.js";

const KEY = "command";
const AGAIN = 1000;
const LOST = "The dashboard does not know this command: it was not received, or the program was restarted. "
  + "See above what the heater is set to before you try again.";

/** A random UUID; crypto.randomUUID is missing where the page does not come over https. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

export class CommandSender {
  /**
   * `on(state, sent)` gets {outcome, text} of a command, "running" until the answer is known, and what was
   * sent: {id, heater, name, what}.
   */
  constructor(on) {
    this.on = on;
    this.pending = null;
  }

  /** Follow a command that was sent before the page was loaded again. */
  resume() {
    const stored = sessionStorage.getItem(KEY);
    if (!stored) return;
    this.pending = JSON.parse(stored);
    this.running();
    this.follow(this.pending);
  }

  /** Send a command, unless another one is on its way. `what` says it in words. */
  async send(heater, command, values, what) {
    if (this.pending) return;
    const pending = { id: newId(), heater: heater.id, name: heater.name, what };
    this.pending = pending;
    sessionStorage.setItem(KEY, JSON.stringify(pending));
    this.running();
    try {
      this.take(await post(pathOf(heater.id, "commands"), { id: pending.id, command, arguments: values }));
      if (this.pending === pending) await this.follow(pending);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status) this.end({ outcome: "failed", text: error.message });
      else await this.follow(pending);
    }
  }

  /** The state of a command, from an answer or from the live connection. */
  take(state) {
    if (this.pending && state.id === this.pending.id && state.outcome !== "running") this.end(state);
  }

  /** Ask for the state until it is known; the command itself is not sent again. */
  async follow(pending) {
    while (this.pending === pending) {
      try {
        this.take(await get(pathOf(pending.heater, `commands/${pending.id}`)));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 404) this.end({ outcome: "failed", text: LOST });
      }
      if (this.pending === pending) await pause(AGAIN);
    }
  }

  running() {
    this.on({ outcome: "running", text: `${this.pending.what}: waiting for the heater's answer …` }, this.pending);
  }

  end(state) {
    const sent = this.pending;
    if (!sent) return;
    this.pending = null;
    sessionStorage.removeItem(KEY);
    this.on(state, sent);
  }
}
