// Who takes part: name, hardware, what each runs now and has given to the swarm.
// Law: a peer is known by its id; its nickname is only what it calls itself.
import { html, useNow, useState, useStore, useTheme } from "../lib/ui.js";
import { age, count, counted } from "../lib/format.js";
import { called, own, plain, shortened } from "../lib/text.js";
import { Empty, Hexagon, Panel } from "./bits.js";

const FIRST = 8;
const HARDWARE = {
  "cpu-laptop": "CPU, laptop",
  "cpu-server": "CPU, server",
  "gpu-small": "GPU, small",
  "gpu-large": "GPU, large",
  "gpu-datacenter": "GPU, data centre",
  "apple-silicon": "Apple silicon",
};

/** A hardware class for people; null where it is not known. */
export const hardwareName = (hardware) =>
  hardware ? (own(HARDWARE, hardware) ?? shortened(plain(hardware), 24)) : "hardware not known yet";

export function Peers({ store }) {
  const peers = useStore(store, (state) => state.peers);
  const now = useStore(store, (state) => state.now);
  const connected = useStore(store, (state) => state.connected);
  const [all, setAll] = useState(false);
  const clock = useNow(10000);
  const dark = useTheme() === "dark";
  const list = peers?.peers ?? [];
  const shown = all ? list : list.slice(0, FIRST);
  const others = list.filter((peer) => !peer.self).length;
  return html`
    <${Panel} id="peers" title="Peers" size="w7 tall" note=${list.length ? `${counted(connected ?? 0, "peer")} connected, ${count(others)} known` : ""}>
      <ul class="peers">
        ${shown.map((peer) => html`<${Peer} key=${peer.peer_id} peer=${peer.self ? { ...peer, running: now.map((each) => each.title) } : peer} clock=${clock} dark=${dark} />`)}
      </ul>
      ${list.length > FIRST ? html`<button type="button" class="button more" aria-expanded=${String(all)} onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${count(list.length)}`}</button>` : null}
      ${others ? null : html`<${Empty} title="Working alone so far">Another node joins with <code>swarm start --join ADDRESS</code>; the address is in the terminal where this node was started. Wins of each then turn up at the other's, to be measured again.<//>`}
    <//>
  `;
}

function Peer({ peer, clock, dark }) {
  const gave = [
    [peer.wins, "win"],
    [peer.replications, "replication"],
    [peer.trials, "experiment"],
  ].filter(([number]) => number);
  return html`
    <li class=${`peer ${peer.connected || peer.self ? "" : "away"}`}>
      <${Hexagon} peer=${peer.peer_id} size=${30} dark=${dark} />
      <div class="peer-text">
        <p class="peer-name"><b title=${peer.peer_id}><bdi>${shortened(called(peer.nickname, peer.peer_id), 40)}</bdi></b>
          <span class=${`presence ${peer.self || peer.connected ? "on" : ""}`}>${peer.self ? "this node" : peer.connected ? "connected" : peer.last_heard_ms ? `heard ${age(peer.last_heard_ms, clock)}` : "not connected"}</span></p>
        <p class="soft peer-runs">${runs(peer)}</p>
        <p class="faint">${hardwareName(peer.hardware_class)}${peer.device ? html`, <bdi>${shortened(plain(peer.device), 48)}</bdi>` : null}${gave.length ? " · " : ""}${gave.map(([number, word]) => counted(number, word)).join(", ")}</p>
      </div>
    </li>
  `;
}

function runs({ running, connected, self }) {
  if (running?.length)
    return html`<span class="spark" aria-hidden="true"></span><bdi>${shortened(running.map(plain).join(", "), 110)}</bdi>`;
  if (self) return "between two runs";
  return connected ? (running ? "runs nothing now" : "has not said what it runs") : "away";
}
