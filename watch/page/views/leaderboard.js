// The changes that helped, best first: state, effect with interval, author, adopters.
// Law: a table for everyone; on a narrow screen each row becomes a card, with the same words.
import { html, useMemo, useNow, useRef, useState, useStore, useTheme } from "../lib/ui.js";
import { age, count, counted, metric, signed } from "../lib/format.js";
import { gainOf } from "../lib/story.js";
import { plain, shortened } from "../lib/text.js";
import { Choice, Empty, Family, IntervalBar, Panel, State, Who, winAddress } from "./bits.js";

const FIRST = 8;
const MORE = 100;
const NEW_MS = 6000;

export function Leaderboard({ store }) {
  const board = useStore(store, (state) => state.leaderboard);
  const status = useStore(store, (state) => state.status);
  const [state, setState] = useState("all");
  const [rows, setRows] = useState(FIRST);
  const entries = board?.entries ?? [];
  const fresh = useFresh(entries);
  const shown = useMemo(
    () => (state === "all" ? entries : entries.filter((entry) => entry.state === state)),
    [board, state],
  );
  const sizes = useMemo(() => sizesOf(entries), [board]);
  const options = [
    ["all", `All ${count(board?.total ?? 0)}`],
    ...["replicated", "claimed", "refuted"]
      .filter((each) => sizes[each])
      .map((each) => [each, `${each[0].toUpperCase()}${each.slice(1)} ${count(sizes[each])}`]),
  ];
  const tools =
    options.length > 2
      ? html`<${Choice} label="Show" options=${options} value=${state} onPick=${(key) => (setState(key), setRows(FIRST))} />`
      : null;
  return html`
    <${Panel} id="wins" title="Leaderboard" size="w8" note=${entries.length ? "changes that helped, best first" : ""} tools=${tools}>
      ${shown.length ? html`<${Table} entries=${shown.slice(0, rows)} task=${board.task} fresh=${fresh} self=${status?.peer_id} reach=${reachOf(entries, board.task)} />` : html`<${None} board=${board} state=${state} />`}
      ${shown.length > rows ? html`<button type="button" class="button more" onClick=${() => setRows(rows === FIRST ? MORE : rows + MORE)}>Show ${count(Math.min(shown.length, rows === FIRST ? MORE : rows + MORE) - rows)} more</button>` : null}
    <//>
  `;
}

/** Records that came while the page was open, for a while. */
function useFresh(entries) {
  const seen = useRef(null);
  const now = Date.now();
  if (entries.length || seen.current) {
    const first = seen.current === null;
    seen.current ??= new Map();
    for (const { record } of entries)
      if (!seen.current.has(record)) seen.current.set(record, first ? 0 : now);
  }
  return (record) => now - (seen.current?.get(record) ?? 0) < NEW_MS;
}

const sizesOf = (entries) => {
  const sizes = {};
  for (const { state } of entries) sizes[state] = (sizes[state] ?? 0) + 1;
  return sizes;
};

/** The gain at the right end of every bar: that of the furthest interval believed. */
function reachOf(entries, task) {
  const standing = entries.filter((entry) => entry.state === "claimed" || entry.state === "replicated");
  const ends = standing.flatMap((entry) => [gainOf(task, entry.effect_low), gainOf(task, entry.effect_high)]);
  const reach = Math.max(...ends.filter(Number.isFinite), 0);
  return reach || 1;
}

const None = ({ board, state }) => html`
  <${Empty} title=${board === null ? "Reading the board" : state === "all" ? "No win yet" : `No ${state} win`}>
    ${state === "all" ? "A change arrives here when it was better on the same seeds, again and again, than chance explains. Others then measure it for themselves." : ""}
  <//>
`;

const HEADS = [
  ["rank", "#"],
  ["what", "Change"],
  ["believed", "State"],
  ["gain", "Effect, 95 % interval"],
  ["value", "Value"],
  ["by", "By"],
];

function Table({ entries, task, fresh, self, reach }) {
  const clock = useNow(30000);
  const dark = useTheme() === "dark";
  return html`
    <table class="wins" role="table">
      <caption class="unseen">Changes that helped, best first. Each title opens the win.</caption>
      <thead role="rowgroup"><tr role="row">${HEADS.map(([key, name]) => html`<th key=${key} class=${`c-${key}`} role="columnheader" scope="col">${name}</th>`)}</tr></thead>
      <tbody role="rowgroup">
        ${entries.map((entry) => html`<${Row} key=${entry.record} entry=${entry} task=${task} fresh=${fresh(entry.record)} self=${self} reach=${reach} clock=${clock} dark=${dark} />`)}
      </tbody>
    </table>
  `;
}

function Row({ entry, task, fresh, self, reach, clock, dark }) {
  const ends = [gainOf(task, entry.effect_low), gainOf(task, entry.effect_high)];
  const adopters = entry.adopters?.length ?? 0;
  return html`
    <tr role="row" class=${`${fresh ? "fresh" : ""} ${entry.state === "refuted" || entry.state === "invalid" ? "fallen" : ""}`}>
      <td role="cell" class="c-rank number">${entry.rank ?? "–"}</td>
      <td role="cell" class="c-what">
        <a class="title" href=${winAddress(entry.record)}><bdi>${shortened(plain(entry.title), 110)}</bdi></a>
        <span class="under"><${Family} family=${entry.family} />${adopters ? html`<span class="faint">built on by ${counted(adopters, "peer")}</span>` : null}</span>
      </td>
      <td role="cell" class="c-believed"><${State} state=${entry.state} replications=${entry.replications} /></td>
      <td role="cell" class="c-gain">
        <${IntervalBar} gain=${gainOf(task, entry.effect)} low=${Math.min(...ends)} high=${Math.max(...ends)} reach=${reach} state=${entry.state} />
        <span class="number gain-text"><b>${signed(entry.effect)}</b> <span class="faint">${signed(entry.effect_low, 3)} … ${signed(entry.effect_high, 3)}</span></span>
      </td>
      <td role="cell" class="c-value number">${metric(entry.value)}</td>
      <td role="cell" class="c-by"><${Who} peer=${entry.author} nickname=${entry.nickname} dark=${dark} /><span class="under faint">${entry.author === self ? "this node, " : ""}${age(Date.parse(entry.created_at), clock)}</span></td>
    </tr>
  `;
}
