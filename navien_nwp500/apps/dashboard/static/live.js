/** The one WebSocket of the page: open while the page is seen, found again after every loss. */

import { ApiError, get } from "./api.js";

const FIRST_DELAY = 500;
const LONGEST_DELAY = 10000;

export class Live {
  /**
   * `on.message(message)` gets every message, `on.about(about)` what the server says of itself before
   * each connection, `on.state(word, seconds)` each change: "open", "closed" (trying again in so many
   * seconds), "paused" (the page is not seen, or is seen again and connects), "signed-out".
   */
  constructor(on) {
    this.on = on;
    this.socket = null;
    this.timer = 0;
    this.delay = FIRST_DELAY;
    this.attempt = 0;
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
      const about = await get("api/about");
      if (attempt !== this.attempt) return;
      this.on.about(about);
      if (!about.signed_in) {
        this.on.state("signed-out");
        return;
      }
      this.open(attempt);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (attempt === this.attempt) this.later();
    }
  }

  open(attempt) {
    const address = new URL("api/live", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      const message = JSON.parse(data);
      if (message.type === "hello") {
        this.delay = FIRST_DELAY;
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

  /** Try again: after half a second, then twice as long each time, never quite at the same moment. */
  later() {
    const wait = this.delay * (0.75 + Math.random() / 2);
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY);
    this.on.state("closed", Math.max(1, Math.round(wait / 1000)));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), wait);
  }
}
