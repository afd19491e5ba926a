// Measurements pair by pair: on each seed, the base's value and the candidate's.
// Law: drawn and in a table alike; the same scale for all pairs of a win.
import { html } from "../lib/ui.js";
import { count, counted, fromNano, metric, signed } from "../lib/format.js";
import { gainOf } from "../lib/story.js";

const ROW = 22;
const MOST = 64;

/** Pairs of a record as values. */
export const pairsOf = (pairs) =>
  (pairs ?? [])
    .slice(0, MOST)
    .map(({ seed, base_nano, candidate_nano }) => ({
      seed,
      base: fromNano(base_nano),
      candidate: fromNano(candidate_nano),
      change: fromNano(candidate_nano - base_nano),
    }));

/** Mean of candidate − base; null without pairs. */
export const meanChange = (pairs) =>
  pairs.length ? pairs.reduce((sum, pair) => sum + pair.change, 0) / pairs.length : null;

export function Evidence({ pairs, task, label }) {
  if (!pairs.length) return html`<p class="soft">No pair was completed.</p>`;
  const values = pairs.flatMap((pair) => [pair.base, pair.candidate]);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const at = (value) => 2 + (96 * (value - low)) / (high - low || 1);
  return html`
    <div class="evidence">
      <div class="evidence-scale number faint" aria-hidden="true"><span>${metric(low)}</span><span>${task.direction === "maximize" ? "better →" : "← better"}</span><span>${metric(high)}</span></div>
      <table role="table" aria-label=${label}>
        <thead class="unseen" role="rowgroup"><tr role="row"><th role="columnheader" scope="col">seed</th><th role="columnheader" scope="col">picture</th><th role="columnheader" scope="col">base</th><th role="columnheader" scope="col">candidate</th><th role="columnheader" scope="col">change</th></tr></thead>
        <tbody role="rowgroup">${pairs.map((pair, index) => html`<${Pair} key=${index} pair=${pair} at=${at} task=${task} />`)}</tbody>
      </table>
    </div>
  `;
}

function Pair({ pair, at, task }) {
  const helps = gainOf(task, pair.change) > 0;
  const [base, candidate] = [at(pair.base), at(pair.candidate)];
  return html`
    <tr role="row">
      <td role="cell" class="number faint">${count(pair.seed)}</td>
      <td role="cell" class="dumbbell"><svg width="100%" height=${ROW} aria-hidden="true" class=${helps ? "helps" : "harms"}>
        <line class="rail" x1="2%" x2="98%" y1=${ROW / 2} y2=${ROW / 2}></line>
        <line class="span" x1=${`${base}%`} x2=${`${candidate}%`} y1=${ROW / 2} y2=${ROW / 2}></line>
        <circle class="base" cx=${`${base}%`} cy=${ROW / 2} r="4.2"></circle>
        <circle class="candidate" cx=${`${candidate}%`} cy=${ROW / 2} r="5"></circle>
      </svg></td>
      <td role="cell" class="number soft pair-value">${metric(pair.base)}</td>
      <td role="cell" class="number pair-value">${metric(pair.candidate)}</td>
      <td role="cell" class=${`number ${helps ? "good" : "bad"}`}>${signed(pair.change)}</td>
    </tr>
  `;
}

/** One line for a replication: who, what was seen, whether it counts. */
export const seenIn = (pairs) => `${signed(meanChange(pairs))} in ${counted(pairs.length, "pair")}`;
