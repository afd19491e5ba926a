// What this node would try next: the strategy's odds for each family, with its reasons.
// Law: a probability is a length and a number, never a colour alone.
import { html, useMemo, useStore } from "../lib/ui.js";
import { kindOf } from "../lib/families.js";
import { amount, count, counted, percent } from "../lib/format.js";
import { plain, shortened } from "../lib/text.js";
import { Empty, Family, Panel } from "./bits.js";

export function Odds({ store }) {
  const strategy = useStore(store, (state) => state.strategy);
  const status = useStore(store, (state) => state.status);
  const odds = strategy?.odds ?? null;
  const most = useMemo(() => Math.max(...(odds ?? []).map((each) => each.probability), 1e-9), [strategy]);
  return html`
    <${Panel} id="odds" title="What it would try next" size="w5 tall" note="chance of each family of ideas">
      ${odds?.length ? html`<ul class="odds">${odds.map((each) => html`<${Arm} key=${each.family} arm=${each} most=${most} />`)}</ul>` : html`<${None} status=${status} strategy=${strategy} />`}
      <${Model} status=${status} />
    <//>
  `;
}

/** The language model that proposes too, and what of its day's budget is used. */
function Model({ status }) {
  if (!status?.workers || status.llm === undefined) return null;
  const llm = status.llm;
  return html`
    <p class="builds soft">${llm ? html`<b><bdi>${shortened(plain(llm.model), 60)}</bdi></b> proposes too: ${count(llm.tokens)} of ${count(llm.tokens_limit)} tokens and ${amount(llm.money)} of ${amount(llm.money_limit)} in money used today.` : "No language model is set up."}</p>
  `;
}

const None = ({ status, strategy }) => html`
  <${Empty} title=${status?.workers === 0 ? "This node chooses nothing" : strategy === null ? "Reading" : "Nothing weighed yet"}>
    ${status?.workers === 0 ? "It observes; its peers choose for themselves." : "Once the baseline is measured, the node weighs families of ideas by what they have brought here for the time they took, its peers' results included."}
  <//>
`;

function Arm({ arm, most }) {
  return html`
    <li>
      <details>
        <summary>
          <${Family} family=${arm.family} />
          <span class=${`odds-bar family-${kindOf(arm.family)}`} aria-hidden="true"><span style=${{ width: `${((100 * arm.probability) / most).toFixed(1)}%` }}></span></span>
          <span class="number odds-share">${percent(arm.probability)}</span>
        </summary>
        <p class="soft">${shortened(plain(arm.why), 300)} <span class="faint">${counted(arm.trials, "trial")}, ${counted(arm.wins, "win")} here.</span></p>
      </details>
    </li>
  `;
}
