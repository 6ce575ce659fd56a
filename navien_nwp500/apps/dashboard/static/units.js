/** Values in the words of a person. Times are milliseconds since 1970 UTC, temperatures °C. */

const NONE = "–";
const GALLON = 3.785411784;
let unit = "C";
let zone;

/** Show temperatures in "C" or "F" from now on. */
export function useUnit(name) { unit = name === "F" ? "F" : "C"; }
export const unitInUse = () => unit;
export const unitSign = () => `°${unit}`;

/** Show times of this zone; of the browser where it does not know the zone. */
export function useZone(name) {
  zone = undefined;
  if (!name) return;
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: name });
    zone = name;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

/** The number that is shown for a temperature, and the temperature of a number that was entered. */
export const shown = (celsius) => (unit === "F" ? celsius * 1.8 + 32 : celsius);
export const entered = (number) => (unit === "F" ? (number - 32) / 1.8 : number);

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

export function temperature(celsius) {
  if (missing(celsius)) return NONE;
  return `${shown(celsius).toFixed(unit === "F" ? 0 : 1)} °${unit}`;
}

/** A setting, which is a whole or a half degree. */
export function setting(celsius) {
  if (missing(celsius)) return NONE;
  return `${Number(shown(celsius).toFixed(unit === "F" ? 0 : 1))} °${unit}`;
}

export const power = (watts) => (missing(watts) ? NONE : `${Math.round(watts).toLocaleString("en")} W`);
export const percent = (value) => (missing(value) ? NONE : `${Math.round(value)} %`);

export function energy(wh) {
  if (missing(wh)) return NONE;
  if (Math.abs(wh) < 100) return `${Math.round(wh)} Wh`;
  const kwh = wh / 1000;
  return `${kwh < 100 ? kwh.toFixed(2) : Math.round(kwh).toLocaleString("en")} kWh`;
}

export function money(amount, currency) {
  if (missing(amount) || !currency) return NONE;
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency }).format(amount);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `${amount.toFixed(2)} ${currency}`;
  }
}

/** Volumes with their unit: gallons first where the heater shows Fahrenheit. */
export function volume(litres) {
  const value = unit === "F" ? litres / GALLON : litres;
  return [String(Math.round(value)), unit === "F" ? "gallons" : "litres"];
}

/** A text of the program as a sentence. */
export const sentence = (text) => capital(text) + (/[.!?]$/.test(text) ? "" : ".");

export const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export function plural(count, word) { return `${count} ${word}${count === 1 ? "" : "s"}`; }

/** The age of something in words, coarse as a person says it. */
export function age(seconds) {
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${Math.floor(seconds / 10) * 10} seconds ago`;
  if (seconds < 3600) return `${plural(Math.floor(seconds / 60), "minute")} ago`;
  if (seconds < 48 * 3600) return `${plural(Math.floor(seconds / 3600), "hour")} ago`;
  return `${plural(Math.floor(seconds / 86400), "day")} ago`;
}

const format = (ms, options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options }).format(ms);

/** A moment: with its time where the values are less than a day apart. */
export function moment(ms, withTime = true) {
  const day = format(ms, { weekday: "short", day: "numeric", month: "short" });
  return withTime ? `${day}, ${clock(ms)}` : day;
}

export const clock = (ms) => format(ms, { hour: "2-digit", minute: "2-digit" });
