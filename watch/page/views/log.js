// What happened in this node, the newest first.
// Law: every line is the node's own sentence; what it quotes of peers stays plain text.
import { html, useMemo, useState, useStore } from "../lib/ui.js";
import { clock, count, when } from "../lib/format.js";
import { own, plain, shortened } from "../lib/text.js";
import { Choice, Empty, Panel, winAddress } from "./bits.js";

const FIRST = 14;
const RESULTS = new Set([
  "experiment_finished",
  "check_finished",
  "win_accepted",
  "champion_changed",
  "baseline_measured",
]);
const NETWORK = new Set([
  "peer_connected",
  "peer_disconnected",
  "listening",
  "network_trouble",
  "record_refused",
]);
const MARKS = {
  experiment_started: ["▸", "start"],
  pair_measured: ["·", "pair"],
  measuring_again: ["↻", "better"],
  check_started: ["▸", "start"],
  check_finished: ["✓", "check"],
  win_accepted: ["★", "win"],
  champion_changed: ["▲", "win"],
  baseline_measured: ["◆", "check"],
  peer_connected: ["+", "net"],
  peer_disconnected: ["−", "net"],
  record_refused: ["✕", "bad"],
  network_trouble: ["!", "bad"],
};

export function Log({ store }) {
  const log = useStore(store, (state) => state.log);
  const [which, setWhich] = useState("all");
  const [all, setAll] = useState(false);
  const entries = useMemo(() => {
    const wanted = {
      all: () => true,
      results: (entry) => RESULTS.has(entry.event),
      network: (entry) => NETWORK.has(entry.event),
    }[which];
    return log.filter(wanted).reverse();
  }, [log, which]);
  const tools = html`<${Choice} label="Show" value=${which} onPick=${setWhich} options=${[
    ["all", "All"],
    ["results", "Results"],
    ["network", "Network"],
  ]} />`;
  return html`
    <${Panel} id="log" title="Log of this node" size="w12" note="the newest first" tools=${tools}>
      ${entries.length ? html`<ol class="log">${entries.slice(0, all ? entries.length : FIRST).map((entry) => html`<${Line} key=${entry.id} entry=${entry} />`)}</ol>` : html`<${Empty} title="Nothing yet">What the node does is told here, line by line.<//>`}
      ${entries.length > FIRST ? html`<button type="button" class="button more" aria-expanded=${String(all)} onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${count(entries.length)}`}</button>` : null}
    <//>
  `;
}

function Line({ entry }) {
  const won = entry.event === "experiment_finished" && entry.outcome === "win";
  const [mark, tone] = won
    ? ["★", "win"]
    : entry.event === "experiment_finished"
      ? ["–", "pair"]
      : (own(MARKS, entry.event) ?? ["·", "pair"]);
  const text = shortened(plain(entry.text), 400);
  return html`
    <li class=${`log-${tone}`}>
      <time class="number faint" datetime=${new Date(entry.at_ms).toISOString()} title=${when(entry.at_ms)}>${clock(entry.at_ms)}</time>
      <span class="mark" aria-hidden="true">${mark}</span>
      ${entry.record ? html`<a href=${winAddress(entry.record)}><bdi>${text}</bdi></a>` : html`<bdi>${text}</bdi>`}
    </li>
  `;
}
