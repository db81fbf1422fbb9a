// Runs in the page, as an expression: a function of the least ratio of contrast.
(least) => {
  const colourOf = (text) => {
    const [r = 0, g = 0, b = 0, a = 1] = (text.match(/[\d.]+/g) ?? []).map(Number);
    return [r, g, b, a];
  };
  // WCAG 2.2, "relative luminance".
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    for (let each = element; each !== null; each = each.parentElement) {
      const ground = colourOf(getComputedStyle(each).backgroundColor);
      if (ground[3] === 1) return ground;
    }
    return [255, 255, 255, 1];
  };
  const found = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const { parentElement: element, textContent } = node;
    if (element === null || !textContent.trim()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    if (range.getClientRects().length === 0) continue;
    const style = getComputedStyle(element);
    const ink = colourOf(element instanceof SVGElement ? style.fill : style.color);
    const [dark, light] = [luminance(ink), luminance(groundOf(element))].sort((one, other) => one - other);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < least) found.add(`${ratio.toFixed(2)} ${textContent.trim().slice(0, 60)}`);
  }
  return [...found];
};
