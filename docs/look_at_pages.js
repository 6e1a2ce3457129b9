// What is wrong with the page as it is shown now: pairs of a kind and a text.
(async () => {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > window.innerWidth) {
    found.push(["overflow", `${root.scrollWidth} of ${window.innerWidth}`]);
  }

  // What holds an element within the window: a box that scrolls, or hides what is over.
  function holder(element) {
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      if (getComputedStyle(e).overflowX !== "visible") return e;
    }
    return root;
  }

  // Text that a reader cannot reach: beyond the window, or cut off by its holder.
  function lookForCuts(element, area) {
    const box = holder(element);
    if (box.scrollWidth > box.clientWidth && ["auto", "scroll"].includes(getComputedStyle(box).overflowX)) {
      // Code, tables and pictures may scroll by themselves; the page must not.
      if (box.querySelector("h1")) found.push(["overflow", `${name(box)} scrolls`]);
      return;
    }
    const edge = box === root ? window.innerWidth : box.getBoundingClientRect().right;
    if (area.left < edge && area.right > edge + 1) {
      found.push(["overflow", `${name(element)} in ${name(element.parentElement)}: cut off by ${Math.round(area.right - edge)} px`]);
    }
  }

  function name(e) {
    return e ? `${e.tagName.toLowerCase()}.${e.getAttribute("class") || ""}` : "?";
  }

  function rgba(text) {
    const canvas = (rgba.canvas ??= document.createElement("canvas").getContext("2d", {
      willReadFrequently: true,
    }));
    const kept = (rgba.kept ??= {});
    if (!kept[text]) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      kept[text] = [r, g, b, a / 255];
    }
    return kept[text];
  }

  const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3]));

  // Colour of the paper behind an element, from the bottom up.
  const papers = new Map();
  function behind(element) {
    if (!element) return [255, 255, 255];
    if (!papers.has(element)) {
      const colour = rgba(getComputedStyle(element).backgroundColor);
      papers.set(element, over(colour, behind(element.parentElement)));
    }
    return papers.get(element);
  }

  function luminance(colour) {
    const [r, g, b] = colour.map((v) => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function lookAtText(node) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return;
    if (["SCRIPT", "STYLE", "NOSCRIPT", "TITLE"].includes(element.tagName)) return;
    const range = document.createRange();
    range.selectNodeContents(node);
    const area = range.getBoundingClientRect();
    if (area.width < 2 || area.height < 2 || element.getBoundingClientRect().width < 2) return;
    lookForCuts(element, area);
    const style = getComputedStyle(element);
    const inSvg = element.closest("svg") && element.getScreenCTM;
    const size = parseFloat(style.fontSize) * (inSvg ? element.getScreenCTM().a : 1);
    const sample = `${name(element)} ${JSON.stringify(node.data.trim().slice(0, 30))}`;
    if (size < 10) found.push(["small", `${size.toFixed(1)} px: ${sample}`]);
    const box = inSvg && element.parentElement.querySelector("rect");
    const below = box
      ? over(rgba(getComputedStyle(box).fill), behind(element))
      : behind(element);
    const ink = luminance(over(rgba(inSvg ? style.fill : style.color), below));
    const paper = luminance(below);
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(["contrast", `${ratio.toFixed(2)}: ${name(element)} in ${name(element.parentElement)}`]);
  }

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) lookAtText(texts.currentNode);

  for (const image of document.images) {
    image.loading = "eager";
    await image.decode().catch(() => {});
    if (!image.naturalWidth) found.push(["image", `not there: ${image.src}`]);
    // Labels of a picture are about 16 pixels at its natural width.
    const shrunk = image.width / image.naturalWidth;
    if (image.naturalWidth > 500 && image.width && shrunk < 0.6) {
      found.push(["small", `${image.src} at ${Math.round(100 * shrunk)} %`]);
    }
    // Pictures in the gallery's list have their title beside them.
    const isThumb = image.closest(".sphx-glr-thumbcontainer");
    if (!image.alt.trim() && !isThumb) found.push(["image", `no text: ${image.src}`]);
  }
  return [...new Set(found.map((f) => JSON.stringify(f)))].map((f) => JSON.parse(f));
})();
