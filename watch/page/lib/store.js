// What this page knows of its node.
// Law: one state, replaced and never changed in place; null means "not read yet".
export const EMPTY = {
  link: { state: "connecting", since: Date.now() },
  status: null,
  leaderboard: null,
  lineage: null,
  trials: null,
  peers: null,
  strategy: null,
  milestones: null,
  log: [],
  now: [],
  connected: null,
  said: "",
};

/** A place for a state, with those who want to know when it changes. */
export function createStore(initial) {
  let state = initial;
  const listeners = new Set();
  return {
    get: () => state,
    set(patch) {
      state = { ...state, ...patch };
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
