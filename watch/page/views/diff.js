// What a win changes, as a coloured diff.
// Law: a stranger's code is shown as text; sign and words say what colour says.
import { html, useMemo, useState } from "../lib/ui.js";
import { count, counted } from "../lib/format.js";
import { diffLines, diffSize } from "../lib/diff_lines.js";

const FIRST = 400;
const SIGNS = { added: "+", removed: "−", context: " " };
const WORDS = { added: "added: ", removed: "removed: " };

export function Diff({ diff }) {
  const lines = useMemo(() => diffLines(diff), [diff]);
  const [all, setAll] = useState(false);
  const { added, removed } = diffSize(lines);
  if (!lines.length) return html`<p class="soft">It changes nothing.</p>`;
  return html`
    <p class="faint diff-size"><span class="good">+${count(added)}</span> <span class="bad">−${count(removed)}</span> ${counted(added + removed, "line")}</p>
    <div class="diff" tabindex="0" role="region" aria-label=${`Diff: ${counted(added, "line")} added, ${count(removed)} removed`}>
      <div class="diff-lines">${(all ? lines : lines.slice(0, FIRST)).map((line, index) => html`<${Line} key=${index} line=${line} />`)}</div>
    </div>
    ${lines.length > FIRST && !all ? html`<button type="button" class="button more" onClick=${() => setAll(true)}>Show all ${count(lines.length)} lines</button>` : null}
  `;
}

function Line({ line }) {
  const { kind, text, mark } = line;
  if (kind === "file" || kind === "hunk")
    return html`<div class=${`diff-line ${kind}`}><code>${text}</code></div>`;
  return html`
    <div class=${`diff-line ${kind}`}>
      <span class="at" aria-hidden="true">${line.before ?? ""}</span><span class="at" aria-hidden="true">${line.after ?? ""}</span>
      <span class="sign" aria-hidden="true">${SIGNS[kind]}</span>${WORDS[kind] ? html`<span class="unseen">${WORDS[kind]}</span>` : null}
      <code>${mark ? html`${text.slice(0, mark[0])}<mark>${text.slice(...mark)}</mark>${text.slice(mark[1])}` : text}</code>
    </div>
  `;
}
