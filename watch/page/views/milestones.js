// Ideas of the literature that this swarm has found to hold, with their years.
// Law: only replicated wins are here, and links go to https addresses only.
import { html, useNow, useStore } from "../lib/ui.js";
import { age, signed } from "../lib/format.js";
import { called, plain, safeLink, shortened } from "../lib/text.js";
import { Empty, Panel, winAddress } from "./bits.js";

const FIRST = 60;

export function Milestones({ store }) {
  const answer = useStore(store, (state) => state.milestones);
  const clock = useNow(30000);
  const list = [...(answer?.milestones ?? [])].reverse();
  return html`
    <${Panel} id="milestones" title="Milestones" size="w4 tall" note=${list.length ? "what the literature knows, found to hold here" : ""}>
      ${
        list.length
          ? html`<ol class="milestones">${list.slice(0, FIRST).map((each) => html`<${Milestone} key=${each.record} milestone=${each} clock=${clock} />`)}</ol>`
          : html`<${Empty} title="None yet">A win that others replicate and that the literature knows gets its name and year here: “confirmed: RMSNorm, 2019”.<//>`
      }
    <//>
  `;
}

function Milestone({ milestone, clock }) {
  const link = safeLink(milestone.url);
  const word = milestone.kind === "rediscovered" ? "Rediscovered" : "Confirmed";
  return html`
    <li class=${milestone.kind === "rediscovered" ? "rediscovered" : ""}>
      <span class="year number">${milestone.year ?? "–"}</span>
      <div>
        <p class="milestone-name"><span class="milestone-kind">${word}</span> <a href=${winAddress(milestone.record)}><bdi>${shortened(plain(milestone.name), 60)}</bdi></a></p>
        <p class="soft"><span class="number good">${signed(milestone.effect)}</span> by <bdi>${shortened(called(milestone.nickname, milestone.author), 24)}</bdi>, ${age(milestone.created_at_ms, clock)}</p>
        ${link ? html`<p class="faint"><a href=${link} target="_blank" rel="noopener noreferrer">${shortened(plain(milestone.source), 70)}</a></p>` : html`<p class="faint"><bdi>${shortened(plain(milestone.source), 70)}</bdi></p>`}
      </div>
    </li>
  `;
}
