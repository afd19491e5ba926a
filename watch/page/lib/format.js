// Numbers and times as people read them.
// Law: what is not a finite number is a dash; a minus sign is a minus sign.
const DASH = "–";
const whole = new Intl.NumberFormat("en-US");

const finite = (value) => typeof value === "number" && Number.isFinite(value);

/** Digits behind the point so that a difference of a thousandth of `value` still shows. */
function digitsFor(value) {
  const size = Math.abs(value);
  return size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 3 : 4;
}

const minus = (text) => text.replace("-", "−");

/** A value of the metric. */
export function metric(value, digits) {
  if (!finite(value)) return DASH;
  return minus(value.toFixed(digits ?? digitsFor(value)));
}

/** A difference, always with its sign. */
export function signed(value, digits) {
  if (!finite(value)) return DASH;
  const text = Math.abs(value).toFixed(digits ?? digitsFor(value));
  return (value > 0 ? "+" : value < 0 ? "−" : "±") + text;
}

/** A whole number with thousands set apart. */
export const count = (value) => (finite(value) ? whole.format(value) : DASH);

/** Money, to a hundredth of a cent. */
export const amount = (value) => (finite(value) ? String(Math.round(value * 1e4) / 1e4) : DASH);

/** "1 win", "2 wins". */
export const counted = (value, one, many = one + "s") => `${count(value)} ${value === 1 ? one : many}`;

/** A share in whole percent, with one digit where it is small. */
export function percent(share) {
  if (!finite(share)) return DASH;
  const value = share * 100;
  return `${value > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

/** Seconds as "12 s", "3 min 20 s", "2 h 5 min", "4 d 3 h". */
export function duration(seconds) {
  if (!finite(seconds)) return DASH;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600)
    return s % 60 && s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** How long ago, in one unit. */
export function age(thenMs, nowMs) {
  const s = (nowMs - thenMs) / 1000;
  if (!finite(s)) return DASH;
  if (s < 10) return "just now";
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

/** The time of day on this machine. */
export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

/** Date and time on this machine. */
export const when = (ms) => new Date(ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** Bytes in the unit that reads best. */
export function bytes(value) {
  if (!finite(value)) return DASH;
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${(value / 10 ** (3 * power)).toFixed(power ? 1 : 0)} ${units[power]}`;
}

/** A metric value of a record, which counts billionths. */
export const fromNano = (nano) => (finite(nano) ? nano / 1e9 : null);
