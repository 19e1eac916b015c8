import { css } from 'lit'

/**
 * Colours are custom properties: a page sets `--saoma-accent`, `--saoma-surface` and the others on the
 * element. The picture's background stays white in dark mode, because cameras need the contrast.
 */
export const elementStyle = css`
  :host {
    --accent: var(--saoma-accent, #0a7a50);
    --on-accent: var(--saoma-on-accent, #ffffff);
    --surface: var(--saoma-surface, #ffffff);
    --text: var(--saoma-text, #16211c);
    --muted: var(--saoma-muted, #55635c);
    --line: var(--saoma-line, #d9e1dc);
    --good: var(--saoma-good, #0a7a50);
    --bad: var(--saoma-bad, #b3261e);
    --warn: var(--saoma-warn, #8a5300);
    --size: var(--saoma-size, 15rem);
    --radius: var(--saoma-radius, 1.25rem);
    display: block;
    box-sizing: border-box;
    width: fit-content;
    max-width: 100%;
    color: var(--text);
    font: 400 1rem/1.5 var(--saoma-font, system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif);
  }
  /* Follows the page's own color-scheme: a page with only a light scheme keeps a light card. */
  @supports (color: light-dark(#000, #fff)) {
    :host {
      --accent: var(--saoma-accent, light-dark(#0a7a50, #4cc993));
      --on-accent: var(--saoma-on-accent, light-dark(#ffffff, #06231a));
      --surface: var(--saoma-surface, light-dark(#ffffff, #18211d));
      --text: var(--saoma-text, light-dark(#16211c, #eef4f0));
      --muted: var(--saoma-muted, light-dark(#55635c, #a6b5ad));
      --line: var(--saoma-line, light-dark(#d9e1dc, #35433c));
      --good: var(--saoma-good, light-dark(#0a7a50, #4cc993));
      --bad: var(--saoma-bad, light-dark(#b3261e, #ff8a80));
      --warn: var(--saoma-warn, light-dark(#8a5300, #f0b35a));
    }
  }
  :host([hidden]) { display: none; }
  *, *::before { box-sizing: border-box; }
  p { margin: 0; }

  .card {
    container-type: inline-size;
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    justify-items: center;
    gap: 0.35rem;
    width: calc(var(--size) + 6rem);
    min-height: calc(var(--size) + 20.5rem);
    align-content: start;
    max-width: 100%;
    padding: min(2rem, 10%) min(1.5rem, 7%) 1.25rem;
    text-align: center;
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  .card:not(.waiting, .scanned) { align-content: center; }
  .card.entry { container-type: normal; width: auto; min-height: 0; padding: 0; background: none; border: 0; }
  .entry .headline:empty { display: none; }
  .card.entry > button { margin-top: 0; padding-inline: 1.25rem; }
  .mark { color: var(--tone); }
  .mark svg { width: 2rem; aspect-ratio: 1; }
  .frame {
    position: relative;
    display: grid;
    width: var(--size);
    max-width: 100%;
    aspect-ratio: 1;
    margin-bottom: 0.9rem;
    overflow: hidden;
    background: #ffffff;
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 0.8);
  }
  .frame > * { grid-area: 1 / 1; }
  img { width: 100%; height: 100%; object-fit: contain; transition: filter 0.2s, opacity 0.2s; }
  .dim { opacity: 0.16; filter: blur(3px); }

  .over {
    position: relative; /* Above the dimmed picture, whose opacity lifts it over what is not positioned. */
    display: grid;
    place-content: center;
    justify-items: center;
    gap: 0.75rem;
    padding: min(1rem, 5%);
    color: #16211c;
  }
  .over.plate { background: var(--surface); color: var(--text); }
  .badge { display: grid; place-content: center; width: 5rem; width: min(5rem, 40cqi); aspect-ratio: 1; border-radius: 50%; color: var(--tone); background: color-mix(in srgb, var(--tone) 13%, var(--surface)); }
  .badge svg { width: 2.75rem; width: min(2.75rem, 22cqi); aspect-ratio: 1; }
  .number { padding: 0.35em 0.5em; border-radius: var(--radius); color: var(--tone); background: var(--surface); box-shadow: 0 6px 24px rgb(0 0 0 / 16%); font: 700 4.5rem/1 ui-monospace, 'SF Mono', Menlo, Consolas, 'Noto Sans Mono', monospace; font-size: min(4.5rem, 30cqi); letter-spacing: 0.06em; }
  .scanned .badge { box-shadow: 0 6px 24px rgb(0 0 0 / 16%); }
  .good { --tone: var(--good); }
  .bad { --tone: var(--bad); }
  .warn { --tone: var(--warn); }
  .calm { --tone: var(--muted); }

  .headline:focus {
    outline: none;
  }
  .headline { display: flex; align-items: center; justify-content: center; min-height: 1.75rem; font-size: 1.2rem; font-size: min(1.2rem, 17cqi); overflow-wrap: anywhere; font-weight: 650; line-height: 1.35; text-wrap: balance; }
  .hint { min-height: 1.5rem; color: var(--muted); font-size: 0.95rem; overflow-wrap: anywhere; text-wrap: balance; }
  .check { display: flex; flex-wrap: wrap; align-items: center; justify-content: center; gap: 0.9rem; width: 100%; margin-bottom: 0.5rem; text-align: start; }
  /* The digits were typed. They keep their space, so that nothing moves. */
  .scanned .check { visibility: hidden; }
  .check strong { font: 700 2.75rem/1 ui-monospace, 'SF Mono', Menlo, Consolas, 'Noto Sans Mono', monospace; letter-spacing: 0.06em; }
  .check span { max-width: 11rem; color: var(--muted); font-size: 0.95rem; }
  .code { display: grid; gap: 0.15rem; width: 100%; margin-top: 0.7rem; padding: 0.55rem min(0.9rem, 4%) 0.6rem; border: 1px solid var(--line); border-radius: 0.8rem; }
  .code span { color: var(--muted); font-size: 0.85rem; }
  .code strong { font: 650 1.45rem/1.25 ui-monospace, 'SF Mono', Menlo, Consolas, 'Noto Sans Mono', monospace; font-size: min(1.45rem, 17cqi); overflow-wrap: anywhere; letter-spacing: 0.08em; }
  .foot { display: flex; flex-wrap: wrap; align-items: center; justify-content: center; gap: 0.4rem; min-height: 2.9rem; color: var(--muted); font-size: 0.9rem; font-variant-numeric: tabular-nums; }
  .foot svg { flex: none; width: 1.1rem; height: 1.1rem; }
  .foot.alert { color: var(--warn); font-weight: 600; }

  button, a {
    min-height: 2.75rem;
    max-width: 100%;
    padding: 0.55rem min(1.25rem, 8%);
    overflow-wrap: anywhere;
    font: inherit;
    font-weight: 600;
    border-radius: 0.75rem;
    cursor: pointer;
  }
  button, a.open { color: var(--on-accent); background: var(--accent); border: 0; }
  a.open { display: grid; place-content: center; width: 100%; text-decoration: none; }
  .card > :is(button, .open) { margin-top: 0.9rem; }
  :is(button, a.open):hover { filter: brightness(1.08); }
  button.inside { font-size: 0.9rem; }
  a.link { display: inline-block; color: var(--accent); text-decoration: underline; text-underline-offset: 0.2em; }
  :is(button, a):focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
  .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

  .spins svg { animation: turn 1s linear infinite; }
  @keyframes turn { to { rotate: 1turn; } }
  @media (prefers-reduced-motion: reduce) {
    .spins svg { animation-duration: 4s; }
    img { transition: none; }
  }
  @media (forced-colors: active) {
    .badge, .number, button, a.open { border: 1px solid; }
  }
`
