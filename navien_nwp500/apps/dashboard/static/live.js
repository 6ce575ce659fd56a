/** The one WebSocket of the page: open while the page is seen, found again after every loss. */

import { ApiError, get } from "./api.js";

const FIRST_DELAY = 500;
const LONGEST_DELAY = 10000;
/** The server sends something every 15 s: a connection that is silent longer has died without a word. */
const SILENCE = 45000;
const WATCH = 5000;
/** Milliseconds in which the server must answer before a connection is opened. */
const PATIENCE = 10000;
/** The server answers and yet no connection opens: so many in a row are no accident. */
const BLOCKED = 3;

export class Live {
  /**
   * `on.message(message)` gets every message, `on.about(about)` what the server says of itself before
   * each connection, `on.state(word, seconds)` each change: "open", "closed" (trying again in so many
   * seconds), "blocked" (the same, while the server answers), "paused" (the page is not seen, or is seen again
   * and connects), "signed-out".
   */
  constructor(on) {
    this.on = on;
    this.socket = null;
    this.timer = 0;
    this.delay = FIRST_DELAY;
    this.attempt = 0;
    this.failed = 0;
    this.heard = 0;
    setInterval(() => this.watch(), WATCH);
    document.addEventListener("visibilitychange", () => this.follow());
    addEventListener("pageshow", (event) => { if (event.persisted) this.follow(); });
    addEventListener("pagehide", () => this.pause());
    addEventListener("online", () => this.soon());
  }

  /** Open the connection if the page is seen, close it if not. */
  follow() {
    if (document.visibilityState === "hidden") this.pause();
    else this.soon();
  }

  /** Close the connection of a page that is not seen: what it shows is of the past from now on. */
  pause() {
    this.close();
    this.failed = 0;
    this.on.state("paused");
  }

  /** Connect at once, unless connected. */
  soon() {
    if (this.socket || document.visibilityState === "hidden") return;
    this.delay = FIRST_DELAY;
    this.connect();
  }

  close() {
    this.attempt += 1;
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.close();
  }

  /** Ask who we are first: a refused WebSocket does not tell its reason. */
  async connect() {
    clearTimeout(this.timer);
    const attempt = ++this.attempt;
    try {
      const about = await get("api/about", AbortSignal.timeout(PATIENCE));
      if (attempt !== this.attempt) return;
      this.on.about(about);
      if (!about.signed_in) {
        this.on.state("signed-out");
        return;
      }
      this.open(attempt);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failed = 0;
      if (attempt === this.attempt) this.later();
    }
  }

  open(attempt) {
    const address = new URL("api/live", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    this.socket = socket;
    this.heard = Date.now();
    this.failed += 1;
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.heard = Date.now();
      const message = JSON.parse(data);
      if (message.type === "hello") {
        this.delay = FIRST_DELAY;
        this.failed = 0;
        this.on.state("open");
      }
      this.on.message(message);
    };
    socket.onclose = () => {
      if (socket !== this.socket || attempt !== this.attempt) return;
      this.socket = null;
      this.later();
    };
  }

  /** Give up a connection that has died without a word, as when this machine slept. */
  watch() {
    if (!this.socket || Date.now() - this.heard < SILENCE) return;
    this.close();
    this.later();
  }

  /** Try again: after half a second, then twice as long each time, never quite at the same moment. */
  later() {
    const wait = this.delay * (0.75 + Math.random() / 2);
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY);
    this.on.state(this.failed < BLOCKED ? "closed" : "blocked", Math.max(1, Math.round(wait / 1000)));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), wait);
  }
}
