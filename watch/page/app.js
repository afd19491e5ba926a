// The page: a store that follows the node, and views that follow the store.
// Law: a view that fails says so in its own place and takes no other with it.
import { html, render, useErrorBoundary, useStore } from "./lib/ui.js";
import { follow } from "./lib/live.js";
import { EMPTY, createStore } from "./lib/store.js";
import { plain } from "./lib/text.js";
import { Announcer, Header, LostBanner } from "./views/header.js";
import { Leaderboard } from "./views/leaderboard.js";
import { Lineage } from "./views/lineage.js";
import { Log } from "./views/log.js";
import { Milestones } from "./views/milestones.js";
import { Now } from "./views/now.js";
import { Odds } from "./views/odds.js";
import { Overview } from "./views/overview.js";
import { Peers } from "./views/peers.js";
import { Progress } from "./views/progress.js";
import { WinSheet } from "./views/win.js";

function Safe({ view, store, size }) {
  const [error] = useErrorBoundary((failure) => console.error(failure));
  if (error)
    return html`<section class=${`panel ${size ?? "w12"}`}><p class="bad">This part of the page failed. Reloading it may help.</p></section>`;
  return html`<${view} store=${store} />`;
}

function Foot({ store }) {
  const status = useStore(store, (state) => state.status);
  if (!status) return null;
  return html`
    <footer>
      <span>research-swarm ${plain(status.version)}</span>
      <span class="mono">${plain(status.peer_id)}</span>
      <span>Programs read <a href="api/openapi.json">the API</a> and <a href="metrics">metrics</a>.</span>
    </footer>
  `;
}

function Page({ store }) {
  return html`
    <${Header} store=${store} />
    <${LostBanner} store=${store} />
    <main id="main">
      <${Safe} view=${Overview} store=${store} size="w7" />
      <${Safe} view=${Now} store=${store} size="w5" />
      <${Safe} view=${Progress} store=${store} />
      <${Safe} view=${Leaderboard} store=${store} size="w8" />
      <${Safe} view=${Milestones} store=${store} size="w4" />
      <${Safe} view=${Lineage} store=${store} />
      <${Safe} view=${Peers} store=${store} size="w7" />
      <${Safe} view=${Odds} store=${store} size="w5" />
      <${Safe} view=${Log} store=${store} />
    </main>
    <${Foot} store=${store} />
    <${Safe} view=${WinSheet} store=${store} />
    <${Announcer} store=${store} />
  `;
}

const store = createStore(EMPTY);
const place = document.getElementById("app");
place.replaceChildren();
render(html`<${Page} store=${store} />`, place);
follow(store);
