// Keeps the store like the node: reads everything once, then follows its event stream.
// Law: the stream says what changed, reads bring it; a lost node leaves what was seen.
import { read } from "./api.js";
import { plain } from "./text.js";

const LOG_KEPT = 400;
const TRIALS_KEPT = 20000;
const WINS_READ = 2000;
const PAUSE_MS = 1000;
const PULSE_MS = 10000;
const AGAIN_MS = [1000, 2000, 4000, 8000];

const VIEWS = {
  leaderboard: () => read(`leaderboard?limit=${WINS_READ}`),
  peers: () => read("peers"),
  strategy: () => read("strategy"),
  milestones: () => read("milestones"),
  lineage: () => read(`lineage?limit=${WINS_READ}`),
};

/** Begin to follow the node; gives a function that ends it. */
export function follow(store) {
  const link = new Link(store);
  link.open();
  return () => link.close();
}

class Link {
  constructor(store) {
    this.store = store;
    this.instance = null;
    this.seen = null;
    this.failures = 0;
    this.reading = false;
    this.stale = false;
    this.readOf = {};
    this.pulse = setInterval(() => this.feelPulse(), PULSE_MS);
    addEventListener("online", () => this.again(0));
  }

  open() {
    clearTimeout(this.timer);
    this.stream?.close();
    const since = this.seen ? `?last_event_id=${encodeURIComponent(this.seen)}` : "";
    const stream = (this.stream = new EventSource(`api/events${since}`));
    const on = (name, act) =>
      stream.addEventListener(name, (event) => {
        if (event.lastEventId) this.seen = event.lastEventId;
        act(JSON.parse(event.data));
      });
    on("hello", (about) => this.hello(about));
    on("reset", (about) => this.begin(about.instance));
    on("log", (entry) => this.tell(entry));
    on("board", (board) => this.board(board));
    on("progress", ({ peers, now }) => this.store.set({ now, connected: peers }));
    stream.onerror = () => this.lost();
  }

  close() {
    clearInterval(this.pulse);
    clearTimeout(this.timer);
    this.stream?.close();
  }

  hello({ instance }) {
    this.failures = 0;
    this.mark("live");
    if (instance !== this.instance) this.begin(instance);
  }

  /** Everything may be different: read it all. */
  begin(instance) {
    this.instance = instance;
    this.seen = null;
    this.refresh();
  }

  lost() {
    this.stream.close();
    this.again(AGAIN_MS[Math.min(this.failures++, AGAIN_MS.length - 1)]);
    this.mark("lost");
  }

  again(delayMs) {
    clearTimeout(this.timer);
    if (this.stream?.readyState === EventSource.CLOSED) this.timer = setTimeout(() => this.open(), delayMs);
  }

  mark(state) {
    const was = this.store.get().link;
    if (was.state === state) return;
    const said =
      state === "live"
        ? was.state === "lost"
          ? "Connected to the node again."
          : ""
        : "The connection to the node is lost.";
    this.store.set({ link: { state, since: Date.now() }, said });
  }

  tell(entry) {
    const { log } = this.store.get();
    if (log.length && log[log.length - 1].id >= entry.id && this.instance === this.logOf) return;
    this.logOf = this.instance;
    const said = entry.event === "win_accepted" ? plain(entry.text) : this.store.get().said;
    this.store.set({ log: [...log, entry].slice(-LOG_KEPT), said });
    if (entry.event === "baseline_measured" || entry.event === "champion_changed")
      this.readInto("status", () => read("status"));
    if (entry.event.startsWith("peer_")) this.readInto("peers", VIEWS.peers);
    if (entry.event === "experiment_finished") this.refresh();
  }

  board(board) {
    const { status } = this.store.get();
    if (status && status.instance === this.instance && status.board?.version === board.version) return;
    this.refresh();
  }

  /** Read every view again, once for however many reasons there were meanwhile. */
  async refresh() {
    this.stale = true;
    if (this.reading) return;
    this.reading = true;
    while (this.stale) {
      this.stale = false;
      await this.readAll();
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
    this.reading = false;
  }

  /** At first each view is shown as it comes; later all at once, so that they are drawn once. */
  async readAll() {
    const first = this.store.get().status === null;
    const instance = this.instance;
    await this.readInto("status", () => read("status"));
    const show = (patch) => {
      if (first) this.store.set(patch);
      return patch;
    };
    const [board, ...others] = Object.entries(VIEWS).map(
      ([name, view]) =>
        () =>
          this.news(name, view).then(show),
    );
    const leading = board();
    if (first) await leading;
    const patches = await Promise.all([
      leading,
      ...others.map((other) => other()),
      this.trials().then(show),
      this.readLog(instance),
    ]);
    if (!first) this.store.set(Object.assign({}, ...patches));
  }

  async readInto(name, view) {
    const patch = await this.news(name, view);
    this.store.set(patch);
  }

  /** What a view says now, as a change of the state; none where it is as before or unheard. */
  async news(name, view) {
    try {
      const answer = await view();
      const known = this.store.get()[name];
      if (
        known &&
        answer.version !== undefined &&
        known.version === answer.version &&
        this.readOf[name] === this.instance &&
        name !== "peers"
      )
        return {};
      this.readOf[name] = this.instance;
      return name === "status"
        ? { status: answer, now: answer.now ?? [], connected: answer.peers }
        : { [name]: answer };
    } catch {
      return {}; // What was read before stays; the stream says when the node is gone.
    }
  }

  async trials() {
    try {
      const known = this.store.get().trials;
      const more = known ? await read(`trials?limit=${TRIALS_KEPT}&after=${known.last}`) : null;
      if (!more || more.instance !== known.instance)
        return { trials: await read(`trials?limit=${TRIALS_KEPT}`) };
      return more.trials.length
        ? { trials: { ...more, trials: [...known.trials, ...more.trials].slice(-TRIALS_KEPT) } }
        : {};
    } catch {
      return {};
    }
  }

  async readLog(instance) {
    if (this.logRead === instance) return;
    try {
      const answer = await read(`log?limit=${LOG_KEPT}`);
      this.logRead = this.logOf = answer.instance;
      const newer =
        answer.instance === instance ? this.store.get().log.filter((entry) => entry.id > answer.last) : [];
      this.store.set({ log: [...answer.entries, ...newer] });
    } catch {
      // As above.
    }
  }

  /** A machine that fell asleep or a cable that was pulled breaks no stream by itself. */
  async feelPulse() {
    if (this.store.get().link.state !== "live") return;
    try {
      const [status, peers] = await Promise.all([read("status"), read("peers")]);
      this.store.set({ status, peers, connected: status.peers });
    } catch {
      this.lost();
    }
  }
}
