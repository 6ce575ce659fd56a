/** Start of the page: sign-in, choice of heater and unit, and who is told what arrives. */

import { ApiError, get, signIn, signOut, whenSignedOut } from "./api.js";
import { Controls } from "./controls.js";
import { byId, element, say } from "./dom.js";
import { History } from "./history.js";
import { Live } from "./live.js";
import { Now } from "./now.js";
import * as units from "./units.js";

/** Announcements that stay, so that a quick succession is read to its end. */
const ANNOUNCEMENTS = 5;

/** The one-time token leaves the address at once, so that no bookmark or history keeps it. */
function takeToken() {
  const words = new URLSearchParams(location.hash.slice(1));
  const token = words.get("token");
  words.delete("token");
  const rest = `${words}` ? `#${words}` : "";
  if (token !== null) history.replaceState(null, "", location.pathname + location.search + rest);
  return token;
}

class App {
  constructor() {
    const token = takeToken();
    this.heaters = [];
    this.heater = null;
    this.version = null;
    this.state = null;
    this.lost = false;
    this.signedOut = false;
    this.now = new Now((text) => this.announce(text));
    this.history = new History();
    this.controls = new Controls();
    this.live = new Live({
      about: (about) => this.about(about),
      message: (message) => this.take(message),
      state: (word, seconds) => this.connection(word, seconds),
    });
    whenSignedOut(() => this.connection("signed-out"));
    this.listen();
    if (token) this.signIn({ token }, "That address was already used, or is older than an hour.");
    else this.live.follow();
  }

  listen() {
    byId("sign-in").addEventListener("submit", (event) => {
      event.preventDefault();
      const secret = byId("secret").value.trim();
      const token = /token=([\w-]+)/.exec(secret);
      this.signIn(this.method === "password" ? { password: byId("secret").value } : { token: token ? token[1] : secret });
    });
    byId("sign-out").addEventListener("click", () => this.signOut());
    byId("reload").addEventListener("click", () => location.reload());
    byId("heater").addEventListener("change", () => this.choose(Number(byId("heater").value)));
    for (const radio of document.getElementsByName("unit")) {
      radio.addEventListener("change", () => this.chooseUnit(radio.value));
    }
  }

  // Who we are

  about(about) {
    this.method = about.sign_in;
    this.checkVersion(about.version);
    byId("simulated").hidden = !about.simulated;
    byId("read-only").hidden = !about.read_only;
    byId("sign-out").hidden = !about.signed_in;
  }

  checkVersion(version) {
    this.version = this.version || version;
    byId("outdated").hidden = version === this.version;
  }

  async signIn(secret, refusal) {
    byId("sign-in-button").disabled = true;
    try {
      await signIn(secret);
      byId("secret").value = "";
      byId("sign-in").hidden = true;
      this.signedOut = false;
      this.live.close();
      this.live.follow();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (refusal) this.live.follow(); // a browser that is signed in needs no token
      say(byId("sign-in-error"), error.status === 401 && refusal ? refusal : error.message);
    } finally {
      byId("sign-in-button").disabled = false;
    }
  }

  async signOut() {
    await signOut();
    location.reload();
  }

  /** Show the way in, above what is known; that is old from now on. */
  askToSignIn() {
    this.live.close();
    const password = this.method === "password";
    byId("sign-in-title").textContent = this.heater ? "Your sign-in has ended" : "Sign in";
    byId("sign-in-text").textContent = password ? "Enter the password of this dashboard." : "The program prints an address when it starts. Open it, or paste it here. "
      + "It is valid once; for another one run: navien-nwp500 dashboard --address";
    byId("secret-label").textContent = password ? "Password" : "Address or token";
    byId("secret").type = password ? "password" : "text";
    byId("secret").autocomplete = password ? "current-password" : "off";
    byId("sign-in").hidden = false;
    byId("content").hidden = !this.heater;
    byId("secret").focus();
  }

  // What arrives

  connection(word, seconds) {
    const before = this.state;
    this.state = word;
    if (word === "signed-out") {
      if (!this.signedOut) this.askToSignIn();
      this.signedOut = true;
    }
    this.now.connection(word);
    const link = byId("link");
    link.className = `link ${word}`;
    link.textContent = { open: "Live", paused: "Connecting …", "signed-out": "Signed out" }[word]
      || `No connection, trying again in ${units.plural(seconds, "second")}`;
    if (before) this.announceConnection(word);
  }

  /** A loss is told once, and its end; that the page was not seen for a while is no loss. */
  announceConnection(word) {
    if ((word === "closed" || word === "blocked") && !this.lost) this.announce("The connection to the dashboard is lost.");
    if (word === "open" && this.lost) this.announce("Connected again.");
    this.lost = word === "paused" ? this.lost : word !== "open";
  }

  take(message) {
    if (message.type === "hello") this.hello(message);
    else if (message.type === "now") this.takeNow(message);
    else if (message.type === "heaters") this.refreshHeaters();
    else if (message.type === "command") this.controls.sender.take(message);
    else if (message.type === "history" && this.heater && message.heater === this.heater.id) this.history.stored();
  }

  hello({ version, heaters }) {
    this.checkVersion(version);
    this.heaters = heaters;
    byId("content").hidden = false;
    const names = heaters.map((heater) => element("option", { value: heater.id }, heater.name));
    byId("heater").replaceChildren(...names);
    byId("heater").hidden = heaters.length < 2;
    const wanted = Number(localStorage.getItem("heater"));
    const known = (id) => heaters.some((heater) => heater.id === id);
    if (!heaters.length) byId("water-details").textContent = "This account has no heater.";
    else this.choose(known(wanted) ? wanted : heaters[0].id, false);
    if (!this.resumed) this.controls.sender.resume();
    this.resumed = true;
  }

  /** What a heater can do has become known, or has changed. */
  async refreshHeaters() {
    const { heaters } = await get("api/heaters");
    const before = this.heater;
    this.heaters = heaters;
    if (!before) return;
    this.heater = heaters.find((heater) => heater.id === before.id) || before;
    if (this.heater.unit !== before.unit) this.choose(this.heater.id, false);
    else this.controls.use(this.heater);
  }

  takeNow(now) {
    const heater = this.heaters.find((one) => one.id === now.heater);
    if (!heater) return;
    heater.now = now;
    if (heater !== this.heater) return;
    this.now.show(heater, now);
    this.controls.update(now);
  }

  // What is chosen

  choose(id, remember = true) {
    if (remember) localStorage.setItem("heater", id);
    this.heater = this.heaters.find((heater) => heater.id === id);
    byId("heater").value = id;
    byId("name").textContent = this.heater.name;
    byId("name").hidden = this.heaters.length > 1;
    units.useZone(this.heater.zone);
    this.showUnit(localStorage.getItem("unit") || this.heater.unit);
  }

  chooseUnit(unit) {
    localStorage.setItem("unit", unit);
    if (this.heater) this.showUnit(unit);
  }

  showUnit(unit) {
    units.useUnit(unit);
    for (const radio of document.getElementsByName("unit")) radio.checked = radio.value === units.unitInUse();
    this.now.show(this.heater, this.heater.now);
    this.controls.use(this.heater);
    this.history.use(this.heater);
  }

  /** For screen readers: events and the connection, nothing that changes all the time. */
  announce(text) {
    if (!text) return;
    const log = byId("announcements");
    log.append(element("p", {}, text));
    while (log.childElementCount > ANNOUNCEMENTS) log.firstElementChild.remove();
  }
}

new App();
