// Families of ideas: their names for people and their colours.
// Law: a family that a peer made up has a name of its own and the colour of none.
export const FAMILIES = [
  "learning_rate", "schedule", "batch", "optimizer", "init", "norm", "activation",
  "position", "attention", "width_depth", "regularisation", "simplify", "fold", "code",
];
const KNOWN = new Set(FAMILIES);

/** A word for class names and colour variables: a known family, or "other". */
export const kindOf = (family) => (KNOWN.has(family) ? family : "other");

/** `learning_rate` as "learning rate". */
export const familyName = (family) => (KNOWN.has(family) ? family.replaceAll("_", " ") : String(family ?? ""));

/** A hue from 0 to 359 that belongs to a peer id. */
export function hueOf(peerId) {
  let hash = 2166136261;
  for (const letter of String(peerId)) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  return Math.floor((hash >>> 0) * 137.508) % 360;
}

/** The colour of a peer, readable on both themes. */
export const peerColour = (peerId, dark) => `oklch(${dark ? 0.74 : 0.56} 0.13 ${hueOf(peerId)})`;

/** A CSS variable's value as the page shows it now. */
export const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Colours of all families as the theme has them, "other" among them. */
export const familyColours = () =>
  Object.fromEntries([...FAMILIES, "other"].map((family) => [family, cssColour(`family-${family}`)]));
