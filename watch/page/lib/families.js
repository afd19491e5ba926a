// Families of ideas: their names for people and their colours.
// Law: a family that a peer made up has a name of its own and the colour of none.
export const FAMILIES = [
  "learning_rate",
  "schedule",
  "batch",
  "optimizer",
  "init",
  "norm",
  "activation",
  "position",
  "attention",
  "width_depth",
  "regularisation",
  "simplify",
  "fold",
  "code",
];
const KNOWN = new Set(FAMILIES);

/** A word for class names and colour variables: a known family, or "other". */
export const kindOf = (family) => (KNOWN.has(family) ? family : "other");

/** `learning_rate` as "learning rate". */
export const familyName = (family) =>
  KNOWN.has(family) ? family.replaceAll("_", " ") : String(family ?? "");

const met = new Map();
const GOLDEN_ANGLE = 137.508;

/** A hue for each peer, as far from those before it as it can be, in the order they are met. */
export function hueOf(peerId) {
  if (!met.has(peerId)) met.set(peerId, met.size);
  return Math.round(155 + met.get(peerId) * GOLDEN_ANGLE) % 360;
}

/** The colour of a peer, readable on both themes. */
export const peerColour = (peerId, dark) => `oklch(${dark ? 0.74 : 0.56} 0.13 ${hueOf(peerId)})`;

/** A CSS variable's value as the page shows it now. */
export const cssColour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Colours of all families as the theme has them, "other" among them. */
export const familyColours = () =>
  Object.fromEntries([...FAMILIES, "other"].map((family) => [family, cssColour(`family-${family}`)]));
