// Small pieces that several views are made of.
// Law: what peers wrote passes through `plain` here or in the view, and class names are ours.
import { html } from "../lib/ui.js";
import { familyName, kindOf, peerColour } from "../lib/families.js";
import { called, own, plain, shortened } from "../lib/text.js";

/** A section of the page with its heading; `tools` stand at its right. */
export const Panel = ({ id, title, note, tools, size, children }) => html`
  <section class=${`panel ${size}`} id=${id} aria-labelledby=${`${id}-title`}>
    <div class="panel-head">
      <h2 id=${`${id}-title`} tabindex="-1">${title}</h2>
      ${note ? html`<span class="note">${note}</span>` : null}
      ${tools ? html`<div class="tools">${tools}</div>` : null}
    </div>
    ${children}
  </section>
`;

/** What to show where there is nothing yet: what it will be, and when. */
export const Empty = ({ title, children }) => html`<div class="empty"><b>${title}</b>${children}</div>`;

/** A family of ideas with its colour. */
export const Family = ({ family }) => html`
  <span class=${`chip family-${kindOf(family)}`}><i></i><bdi>${shortened(plain(familyName(family)), 24)}</bdi></span>
`;

const STATES = {
  claimed: ["○", "claimed", "Measured by its author alone."],
  replicated: ["✓", "replicated", "Measured again by others, who agree."],
  refuted: ["✕", "refuted", "Others measured again and found no gain worth keeping."],
  incomplete: ["…", "incomplete", "The win it was built on has not arrived here yet."],
  invalid: ["✕", "invalid", "Its diff does not give what it says."],
};

/** What the swarm believes of a win, as a mark and a word. */
export function State({ state, replications }) {
  const [mark, word, meaning] = own(STATES, state) ?? ["?", "unknown", ""];
  const times = state === "replicated" && replications ? ` ×${replications}` : "";
  return html`<span class=${`state ${own(STATES, state) ? state : ""}`} title=${meaning}><span aria-hidden="true">${mark}</span>${word}${times}</span>`;
}

/** The six corners that stand for a peer. */
export const Hexagon = ({ peer, size = 14, dark }) => html`
  <svg width=${size} height=${size} viewBox="0 0 20 20" aria-hidden="true">
    <path d="M10 0.8 18.2 5.4v9.2L10 19.2 1.8 14.6V5.4z" fill=${peerColour(peer, dark)}></path>
  </svg>
`;

/** A peer by colour and name. */
export const Who = ({ peer, nickname, dark }) => html`
  <span class="who" title=${peer}>
    <${Hexagon} peer=${peer} dark=${dark} />
    <bdi>${shortened(called(nickname, peer), 32)}</bdi>
  </span>
`;

/**
 * An effect with its interval on a scale shared with its neighbours.
 * What helps points to the right; `reach` is the gain at the right end.
 */
export function IntervalBar({ gain, low, high, reach, state }) {
  const least = -0.14 * reach;
  const at = (value) => 200 * Math.min(1, Math.max(0, (value - least) / (reach - least)));
  const tone = state === "refuted" || state === "invalid" ? "bad" : state === "replicated" ? "sure" : "open";
  return html`
    <svg class=${`interval ${tone}`} viewBox="0 0 200 20" preserveAspectRatio="none" aria-hidden="true">
      <line class="zero" x1=${at(0)} x2=${at(0)} y1="1" y2="19"></line>
      <rect class="stem" x=${Math.min(at(0), at(gain))} width=${Math.abs(at(gain) - at(0))} y="8" height="4"></rect>
      <rect class="reach" x=${at(low)} width=${Math.max(2, at(high) - at(low))} y="4.5" height="11" rx="3"></rect>
      <rect class="mean" x=${at(gain) - 1.5} width="3" y="2.5" height="15" rx="1.5"></rect>
    </svg>
  `;
}

/** Buttons of which one is chosen. */
export const Choice = ({ label, options, value, onPick }) => html`
  <div class="choice" role="group" aria-label=${label}>
    ${options.map(
      ([key, name]) =>
        html`<button type="button" key=${key} aria-pressed=${String(key === value)} onClick=${() => onPick(key)}>${name}</button>`,
    )}
  </div>
`;

/** Where a win is shown whole. */
export const winAddress = (record) => `#/win/${encodeURIComponent(record)}`;
