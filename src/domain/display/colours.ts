/** Colours of pictures and pages, for light and for dark; each at least 4.5 to 1 against its ground where it is text. */
export const colourStyle = `
:root { color-scheme: light dark; --ground: #ffffff; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de;
  --good: #1a7f37; --bad: #cf222e; --busy: #9a6700; --past: #8c959f; --wal: #0969da; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --text: #e6edf3; --quiet: #9198a1; --line: #30363d;
    --good: #3fb950; --bad: #ff7b72; --busy: #d29922; --past: #6e7681; --wal: #58a6ff; }
}`;
