// Light and dark: as the system has it, until somebody says otherwise.

import { h } from './dom.mjs';

const KEY = 'heapwarden-theme';
const root = document.documentElement;
const dark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set();

/** Has `listener` called when colours have changed. */
export const onTheme = (listener) => listeners.add(listener);

/** A colour of the theme at hand, by its name in the style sheet. */
export const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

const isDark = () => (root.dataset.theme ?? (dark.matches ? 'dark' : 'light')) === 'dark';

/** The button that changes it. */
export function themeButton() {
  const button = h('button', { type: 'button', class: 'quiet', onclick: () => set(isDark() ? 'light' : 'dark') });
  const show = () => {
    button.textContent = isDark() ? '☀ Light' : '☾ Dark';
    button.setAttribute('aria-label', isDark() ? 'Light colours' : 'Dark colours');
    listeners.forEach((listener) => listener());
  };
  const set = (theme) => {
    root.dataset.theme = theme;
    // A page that was opened as a file may have no storage.
    try { localStorage.setItem(KEY, theme); } catch { /* It is forgotten with the page. */ }
    show();
  };
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === 'dark' || kept === 'light') root.dataset.theme = kept;
  } catch { /* As the system has it. */ }
  dark.addEventListener('change', show);
  show();
  return button;
}
