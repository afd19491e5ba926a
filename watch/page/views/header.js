// The head of the page: whose node this is, whether it is heard, light or dark, the ways.
// Law: a lost connection is said in words, here and to screen readers.
import { html, useEffect, useNow, useState, useStore, useTheme } from "../lib/ui.js";
import { duration } from "../lib/format.js";
import { plain, shortened } from "../lib/text.js";

const WAYS = [
  ["now", "Now"],
  ["progress", "Progress"],
  ["wins", "Leaderboard"],
  ["milestones", "Milestones"],
  ["lineage", "Lineage"],
  ["peers", "Peers"],
  ["odds", "Odds"],
  ["log", "Log"],
];
const SUN =
  "M10 6.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6ZM10 1v2.2M10 16.8V19M1 10h2.2M16.8 10H19M3.6 3.6l1.6 1.6M14.8 14.8l1.6 1.6M3.6 16.4l1.6-1.6M14.8 5.2l1.6-1.6";
const MOON = "M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7Z";

const SAYS = { live: "Live", connecting: "Connecting …", lost: "Reconnecting …" };

function Link({ link }) {
  return html`
    <span class=${`link-state ${link.state}`} id="link-state"><span class="pulse" aria-hidden="true"></span>${SAYS[link.state]}</span>
  `;
}

function Theme() {
  const theme = useTheme();
  const other = theme === "dark" ? "light" : "dark";
  const choose = () => document.dispatchEvent(new CustomEvent("choosetheme", { detail: other }));
  return html`
    <button type="button" class="button square" id="theme" aria-label=${`Switch to the ${other} theme`} title=${`${other} theme`} onClick=${choose}>
      <svg width="18" height="18" viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">
        <path d=${theme === "dark" ? SUN : MOON}></path>
      </svg>
    </button>
  `;
}

/** The section that is being read: the last whose head has passed the upper third, of two beside each other the first. */
function useSection() {
  const [section, setSection] = useState("now");
  useEffect(() => {
    let due = false;
    const look = () => {
      due = false;
      const line = innerHeight / 3;
      const tops = WAYS.map(([id]) => [
        id,
        document.getElementById(id)?.getBoundingClientRect().top ?? Infinity,
      ]);
      const [section] = tops.filter(([, top]) => top < line).sort((a, b) => b[1] - a[1]);
      if (section) setSection(section[0]);
    };
    const soon = () => {
      if (!due) requestAnimationFrame(look);
      due = true;
    };
    addEventListener("scroll", soon, { passive: true });
    return () => removeEventListener("scroll", soon);
  }, []);
  return section;
}

export function Header({ store }) {
  const link = useStore(store, (state) => state.link);
  const status = useStore(store, (state) => state.status);
  const section = useSection();
  return html`
    <header class="top">
      <a class="skip" href="#now">Skip to what is going on</a>
      <div class="top-row">
        <span class="brand"><img src="icon.svg" alt="" width="28" height="28" /><span>Research Swarm</span></span>
        ${status ? html`<span class="whose"><b><bdi>${shortened(plain(status.nickname) || "this node", 32)}</bdi></b> on <bdi>${plain(status.task?.name)}</bdi></span>` : null}
        <span class="top-end"><${Link} link=${link} /><${Theme} /></span>
      </div>
      <nav class="ways" aria-label="Sections">
        ${WAYS.map(([id, name]) => html`<a key=${id} href=${`#${id}`} aria-current=${section === id ? "true" : null}>${name}</a>`)}
      </nav>
    </header>
  `;
}

/** Says that the node is not heard, and since when. */
export function LostBanner({ store }) {
  const link = useStore(store, (state) => state.link);
  const now = useNow(1000);
  if (link.state !== "lost") return null;
  return html`
    <div class="lost-banner" id="lost">
      The node has not been heard for ${duration((now - link.since) / 1000)}. What you see is how it was then; the page
      tries again by itself. If the node was stopped, <code>swarm start</code> brings it back.
    </div>
  `;
}

/** Reads out what happened, for those who do not see it. */
export function Announcer({ store }) {
  const said = useStore(store, (state) => state.said);
  return html`<div class="unseen" role="status" aria-live="polite" id="said">${said}</div>`;
}
