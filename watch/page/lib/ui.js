// The one door to preact and htm, and hooks made of them.
// Law: text reaches the page as children or attributes of a template, never as markup.
export { html, render, useState, useEffect, useLayoutEffect, useRef, useMemo, useErrorBoundary } from "../vendor/preact-htm.js";
import { useState, useEffect } from "../vendor/preact-htm.js";

/** What `select` gives of the store's state; renders again when that is another value. */
export function useStore(store, select) {
  const [value, setValue] = useState(() => select(store.get()));
  useEffect(() => {
    const look = () => setValue(() => select(store.get()));
    look();
    return store.subscribe(look);
  }, [store]);
  return value;
}

/** The time now, told again every `everyMs`. */
export function useNow(everyMs) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** "light" or "dark", as shown. */
export function useTheme() {
  const read = () => document.documentElement.dataset.theme;
  const [theme, setTheme] = useState(read());
  useEffect(() => {
    const look = () => setTheme(read());
    document.addEventListener("themechange", look);
    return () => document.removeEventListener("themechange", look);
  }, []);
  return theme;
}

/** The width of an element in CSS pixels, 0 before it is known. */
export function useWidth(ref) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return width;
}
